"""The folder of the user's cache for what tests install, and use again."""

import os
from pathlib import Path


def folder(name: str) -> Path:
    """Return the path of a folder in it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "foyer-tests" / name
