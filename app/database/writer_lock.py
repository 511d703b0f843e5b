"""The lock file that lets one process of this machine write at a time; SQLite's own wait polls ever more slowly."""

import fcntl
import os
import time
import weakref
from pathlib import Path

from app.database import faults, sqlite_files
from app.errors import DatabaseUnavailable

POLL_SECONDS = 0.001


class WriterLock:
    """A lock beside the database's file, which the kernel releases when its process ends.

    A process opens it once: not one that its parent has open, with which it would share the lock.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._descriptor = -1
        # Set while the file is open; also called when this object is no longer in use.
        self._close_file: weakref.finalize[[int], WriterLock] | None = None

    def acquire(self, ends_at: float) -> None:
        """Acquire the lock by `ends_at` on the monotonic clock.

        Raises:
            DatabaseUnavailable: another process held it until then, or the file cannot be opened.
        """
        while not self._try_acquire():
            if time.monotonic() >= ends_at:
                raise DatabaseUnavailable("WriterLock")
            time.sleep(POLL_SECONDS)

    def release(self) -> None:
        """Let other processes write."""
        # Closing it would not do: a child forked meanwhile has the file open as well.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _try_acquire(self) -> bool:
        while True:
            if not self._close_file:
                self._open()
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_acquired = True
            except BlockingIOError:
                is_acquired = False
            if os.fstat(self._descriptor).st_nlink:
                return is_acquired
            # Without a name, it is another file that new processes lock.
            self._close()

    def _open(self) -> None:
        database = sqlite_files.locate(self._database)
        # Without a database, there is nothing to lock either.
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if sqlite_files.find_identity(database) else 0)
        try:
            self._descriptor = os.open(f"{database}-writer", flags, sqlite_files.PRIVATE_MODE)
            self._close_file = weakref.finalize(self, os.close, self._descriptor)
            sqlite_files.give_to_owner(self._descriptor, Path(database))
        except OSError as error:
            self._close()
            raise faults.file_unavailable(error) from error

    def _close(self) -> None:
        if self._close_file:
            self._close_file()
            self._close_file = None
