"""Finds programs where Debian installs them; it has servers outside a user's PATH."""

import os
import shutil

SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def path_of(program: str) -> str | None:
    """Return the program's path, or None where it is not installed."""
    return shutil.which(program, path=SEARCH_PATH)
