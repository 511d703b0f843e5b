"""Builds images with Buildah, and runs their programs with chroot as a container with a read-only root does.

The base image is Debian's Python, made by debootstrap, under the name that the Dockerfile asks for.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.real import cache
from tests.real.search_path import path_of

BASE, SUITE = "localhost/python:3.13-slim", "bookworm"
PACKAGES = "python-is-python3,python3-venv,python3-pip,ca-certificates"
# As root of its own mount namespace, which the kernel removes with the process: the root of the image, read-only, with
# folders of this machine as its volumes.
RUN = """
set -e
root=$1 volumes=$2 user=$3 folder=$4
shift 4
mount --bind "$root" "$root"
mount -o remount,ro,bind "$root"
for volume in $(cd "$volumes" && ls); do mount --bind "$volumes/$volume" "$root/$(echo "$volume" | tr : /)"; done
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot --userspec="$user:$user" "$root" /usr/bin/env -i -C "$folder" "$@"
"""


def store() -> Path:
    """Return the folder of Buildah's images."""
    return cache.folder(f"images-{SUITE}")


def buildah(*arguments: str) -> str:
    """Run Buildah in the tests' own store, and return what it printed."""
    options = ["--storage-driver", "vfs", "--root", str(store()), "--runroot", str(store() / "run")]
    done = subprocess.run([str(path_of("buildah")), *options, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout.strip()


def can_build() -> bool:
    """Whether this machine and user can build images at all."""
    return os.geteuid() == 0 and all(path_of(program) for program in ("buildah", "debootstrap", "unshare"))


def has_base() -> bool:
    """Whether the base image is there."""
    return can_build() and BASE in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()


def make_missing_base() -> None:
    """Make the base image if it is not there and this runs as root; a failure prints debootstrap's words."""
    if not can_build() or has_base():
        return
    print("Making a base image with debootstrap; this takes a few minutes ...", flush=True)
    root = store() / "base"
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    command = [str(path_of("debootstrap")), "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        print(done.stdout[-2000:])
        return
    shutil.rmtree(root / "var" / "cache" / "apt" / "archives")
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(root), "/")
    buildah("commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(root)


@dataclass(frozen=True)
class Image:
    """A built image whose files are in the folder `root`."""

    name: str
    root: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """What the image says of itself: User, Env, Volumes and so on."""
        return dict(json.loads(buildah("inspect", "--type", "image", self.name))["Docker"]["config"])

    def make_volumes(self, folder: Path) -> None:
        """Make the folder of a new container's volumes; each has the owner and mode that the image has for it."""
        for path in self.config["Volumes"]:
            original = (self.root / path.lstrip("/")).stat()
            volume = folder / path.lstrip("/").replace("/", ":")
            volume.mkdir(parents=True)
            os.chown(volume, original.st_uid, original.st_gid)
            volume.chmod(original.st_mode & 0o7777)

    def command(self, volumes: Path, environment: dict[str, str], *arguments: str) -> list[str]:
        """Return the command that runs a program as a container would, as the image's user and in its folder."""
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        place = [str(self.root), str(volumes), self.config["User"], self.config["WorkingDir"]]
        return ["unshare", "--mount", "sh", "-c", RUN, "sh", *place, *variables, *arguments]

    def run(self, volumes: Path, environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end."""
        command = self.command(volumes, environment, *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    def size(self) -> int:
        """Return the bytes of all its files, each counted once."""
        files = (path.lstat() for path in self.root.rglob("*") if path.is_symlink() or path.is_file())
        return sum({status.st_ino: status.st_size for status in files}.values())


@contextmanager
def mounted(name: str) -> Iterator[Image]:
    """Give the block the image's files."""
    container = buildah("from", "--pull-never", name)
    try:
        yield Image(name, Path(buildah("mount", container)))
    finally:
        buildah("rm", container)


@contextmanager
def built(name: str, *arguments: str) -> Iterator[Image]:
    """Build an image, and remove it after the block."""
    if not has_base():
        message = "An image is built as root, with buildah and debootstrap: python -m tests.real.install"
        (pytest.fail if "CI" in os.environ and os.geteuid() == 0 else pytest.skip)(message)
    # Certificates of this machine: its registry may be a mirror.
    options = ["--isolation", "chroot", "--format", "docker", "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"]
    buildah("build", *options, "--tag", name, *arguments)
    try:
        with mounted(name) as image:
            yield image
    finally:
        buildah("rmi", "--force", name)
