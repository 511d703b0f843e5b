"""Finds an installed Chromium; `python -m tests.e2e.chromium` installs one with apt."""

import os
import shutil

from tests.support import apt

# chromium-headless-shell is the same browser without windows, for a quarter of the CPU time.
EXECUTABLE_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LAUNCH_FLAGS = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
MISSING_MESSAGE = (
    "no Chromium: the browser tests are skipped. "
    "Install it, for example with: sudo apt-get install chromium-headless-shell"
)


def executable_path() -> str | None:
    """Return the path of the installed Chromium, or None."""
    return next(filter(None, map(shutil.which, EXECUTABLE_NAMES)), None)


def launch_options() -> dict[str, object]:
    """Return Playwright's launch options: no background traffic; no sandbox for root, who cannot have one."""
    return {
        "executable_path": executable_path(),
        "args": [*LAUNCH_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])],
    }


def install() -> None:
    """Install Chromium with apt if this runs as root; otherwise print how to."""
    if executable_path():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests; this takes about a minute ...", flush=True)
        apt.install("chromium-headless-shell")
    if not executable_path():
        print(MISSING_MESSAGE)


if __name__ == "__main__":
    install()
