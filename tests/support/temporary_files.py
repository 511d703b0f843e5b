"""Keeps the temporary files of the tests in memory: most tests wait longer for the disk than they work."""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108  # Linux's own file system in memory
NEEDED_BYTES = 1_000_000_000


def keep_in_memory() -> None:
    """Let this process and those that it starts create temporary files in memory, unless TMPDIR says where.

    A small container may have no room there, or run no programs from there.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return
    runs_programs = not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    if runs_programs and shutil.disk_usage(MEMORY).free > NEEDED_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
