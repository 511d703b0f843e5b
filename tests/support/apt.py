"""Installs Debian packages as root; what apt prints is shown only if it fails."""

import os
import subprocess


def install(*packages: str) -> None:
    """Install the packages without those that they only recommend."""
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *arguments],
            check=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            print(done.stdout)
