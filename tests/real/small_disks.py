"""A small disk of a test's own, which can be filled up, and on which nothing can be written any more."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.unavailable import do_without

FILLER = "filler"


@contextmanager
def mount(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount an empty disk of that size at the folder. Who may not do that skips the test; in CI it fails."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        do_without("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Use up the disk to its last byte."""
    with (folder / FILLER).open("wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def clear(folder: Path) -> None:
    (folder / FILLER).unlink()


def remount(folder: Path, mode: str) -> None:
    """Mount the disk again, as `ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(folder)], check=True)
