"""Runs programs that others wrote: each is started by a test, on a free port of this machine, and ended by it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.real import search_path
from tests.real.packages import PackageSet
from tests.support.unavailable import do_without

# Firefox takes 20 seconds where the machine is busy.
START_SECONDS = 60
MISSING = "{} is not installed. Install what the tests run with: python -m tests.real.install"


def path_of(program: str) -> str:
    """Return the program's path; without it the test is skipped, or fails in CI."""
    path = search_path.path_of(program)
    if path is None:
        do_without(MISSING.format(program))
    return path


def folder_of(packages: PackageSet) -> Path:
    """Return the folder of the installed packages; without them the test is skipped, or fails in CI."""
    if not packages.is_installed:
        do_without(MISSING.format(" and ".join(packages.pins)))
    return packages.folder


@contextmanager
def run(
    command: Sequence[str], port: int, log: Path, variables: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the program until the `with` block ends; yield its process once it listens on the port.

    Its environment has the `variables` alone, beside PATH and a home in the log's folder.
    """
    home = str(log.parent)
    environment = {"HOME": home, "PATH": os.environ["PATH"], "XDG_DATA_HOME": home, **(variables or {})}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=log.parent, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _wait_until_listening(process, port, log)
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait(5)


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    raise AssertionError(f"{process.args!r} does not listen on {port}: {log.read_text(errors='replace')[-2000:]}")
