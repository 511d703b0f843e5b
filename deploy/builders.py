"""Builds and pushes images with the program that is installed: docker, podman, finch or buildah."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError

PROGRAMS = ("docker", "podman", "finch", "buildah")
ARCHITECTURES = {"amd64": "X86_64", "x86_64": "X86_64", "arm64": "ARM64", "aarch64": "ARM64"}
PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
SHOWN_LINES = 15


@dataclass(frozen=True)
class Builder:
    """One program that builds images."""

    program: str

    def build(self, image: str, folder: Path, dockerfile: Path, platform: str = "", base: str = "") -> None:
        """Build the folder into the image, for a platform such as linux/arm64, or for this machine's.

        `base` is the image that it begins with, where the Dockerfile shall not name it.

        Raises:
            DeployError: the build failed.
        """
        options = ["--platform", platform] if platform else []
        options += ["--build-arg", f"BASE={base}"] if base else []
        self._run("build", *options, "--tag", image, "--file", str(dockerfile), str(folder))

    def architecture(self, image: str) -> str:
        """Return what the image was built for, in the words of the parameter Architecture; empty if it is not known."""
        if self.program == "buildah":
            output = self._output("inspect", "--type", "image", image)
            made = json.loads(output or "{}").get("OCIv1", {})
        else:
            output = self._output("image", "inspect", image)
            made = (json.loads(output or "[]") or [{}])[0]
        return ARCHITECTURES.get(made.get("Architecture", made.get("architecture", "")), "")

    def login(self, registry: str, user: str, password: str) -> None:
        """Sign in to a registry; the password goes through standard input, so that no process list shows it.

        Raises:
            DeployError: the registry refused it.
        """
        self._run("login", "--username", user, "--password-stdin", registry, text=password)

    def push(self, image: str) -> None:
        """Push the image.

        Raises:
            DeployError: the registry refused it.
        """
        self._run("push", image)

    def _run(self, *arguments: str, text: str | None = None) -> None:
        done = subprocess.run(  # noqa: S603  # a program of this machine
            [self.program, *arguments],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = done.stdout.rstrip().splitlines()[-SHOWN_LINES:]
            raise DeployError(
                f"{self.program} {arguments[0]} failed.",
                *_advice(done.stdout),
                "\n".join(f"  {line}" for line in lines),
            )

    def _output(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603
            [self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
        return "" if done.returncode else done.stdout


def find() -> Builder:
    """Return the first program that is installed.

    Raises:
        DeployError: none is.
    """
    for program in PROGRAMS:
        if shutil.which(program):
            return Builder(program)
    raise DeployError(
        "There is no docker, podman, finch or buildah here to build the image with.",
        "Install one of them, or name an image that is already in a registry: IMAGE=...",
    )


def _advice(output: str) -> list[str]:
    if "daemon" in output and ("connect" in output or "running" in output):
        return [
            "Its daemon does not run, or you may not use it. Start it: `systemctl start docker`, or Docker Desktop."
        ]
    if "permission denied" in output.lower():
        return ["You may not use it. Join its group, or use podman or buildah, which need no daemon."]
    if "no space left" in output:
        return ["The disk is full. `docker system prune` removes what is not used."]
    if "exec format error" in output:
        return [
            "This machine cannot run programs of that platform. Install qemu-user-static, or leave out Architecture."
        ]
    return []
