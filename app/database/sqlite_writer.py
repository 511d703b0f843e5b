"""SQLite's writes, committed in groups.

SQLite has one writer at a time. A write that finds no other under way is committed at once. Those that come meanwhile
wait, and the thread of one of them commits all in one transaction, with one wait for the disk:

    buyer A ─ write ─────────▶ lock file ─▶ BEGIN IMMEDIATE, A, COMMIT ─────────▶ result of A
    buyer B ─ write ─┐                                                        ┌─▶ result of B
    buyer C ─ write ─┴ A ends ─▶ lock file ─▶ BEGIN IMMEDIATE, B, C, COMMIT ──┴─▶ result of C

Where one of them raises, the transaction is rolled back and each write runs alone in a transaction of its own.
"""

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from app import deadline
from app.database import faults, sqlite_files
from app.database.pending_write import PendingWrite
from app.database.sqlite import LOCK_TIMEOUT_SECONDS
from app.database.writer_lock import WriterLock
from app.errors import DatabaseUnavailable

T = TypeVar("T")

_writers: "weakref.WeakSet[Writer]" = weakref.WeakSet()


class Writer:
    """Runs the writes of this process, one transaction at a time."""

    def __init__(self, engine: Engine, timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> None:
        self._engine = engine
        self._timeout_seconds = timeout_seconds
        self.reset()
        _writers.add(self)

    def reset(self) -> None:
        """Forget what waits or is under way: a forked process neither runs its parent's writes nor shares its locks."""
        self._blocked_by = "WriterQueue"
        self._turn = threading.Lock()
        self._lock = WriterLock(str(self._engine.url.database))
        self._waiting: deque[PendingWrite] = deque()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns, once it is on disk. The work may run more than once, each time from the start.

        Raises:
            DatabaseUnavailable: the work did not start in time, and never will.
        """
        seconds = min(self._timeout_seconds, deadline.seconds_left())
        ends_at = time.monotonic() + seconds
        pending = PendingWrite(work)
        self._waiting.append(pending)
        try:
            if self._turn.acquire(timeout=seconds):
                try:
                    if not pending.is_settled:
                        self._commit_waiting(ends_at)
                finally:
                    self._turn.release()
        finally:
            is_abandoned = pending.give_up()  # on Ctrl-C, too; a write that runs already cannot be stopped
            if is_abandoned:
                self._forget(pending)
        if is_abandoned:
            raise DatabaseUnavailable(self._blocked_by)
        result: T = pending.result()
        return result

    def _commit_waiting(self, ends_at: float) -> None:
        """Commit all writes that wait once no other process writes."""
        self._blocked_by = "WriterLock"
        self._lock.acquire(ends_at)
        try:
            self._commit(self._take_waiting())
        finally:
            self._lock.release()

    def _forget(self, pending: PendingWrite) -> None:
        with suppress(ValueError):  # it has been taken along meanwhile, and is left out
            self._waiting.remove(pending)

    def _take_waiting(self) -> list[PendingWrite]:
        taken: list[PendingWrite] = []
        with suppress(IndexError):  # until none is left: a count would be wrong once another has given up
            while True:
                taken.append(self._waiting.popleft())
        return taken

    def _commit(self, group: list[PendingWrite]) -> None:
        try:
            self._blocked_by = "SQLITE_BUSY"  # another program, such as a backup, holds the database
            with self._engine.begin() as connection:
                self._blocked_by = "WriterQueue"
                file = connection.connection.info["file"]
                started = (pending for pending in group if pending.start())
                results = [(pending, pending.run(connection)) for pending in started]
            if file != sqlite_files.find_identity(str(self._engine.url.database)):
                # Meanwhile, that is: it was in its place when the transaction began.
                raise DatabaseUnavailable(faults.FILE_MOVED_CODE)  # one place fails the writes
        except BaseException as error:  # noqa: BLE001  # the callers raise it again
            if len(group) == 1 or _is_database_failure(error):
                _fail(group, error)
            else:  # one write failed: each runs alone
                for pending in group:
                    self._commit([pending])
        else:
            for pending, result in results:
                pending.settle(result)


def _is_database_failure(error: BaseException) -> bool:
    # A database that fails would fail each write again. SQLITE_ERROR is one statement's fault, as of a missing table.
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlite_errorname", "") != "SQLITE_ERROR"


def _fail(group: list[PendingWrite], error: BaseException) -> None:
    for pending in group:
        if pending.start():
            pending.settle(error=error)


def _reset_writers() -> None:
    for writer in _writers:
        writer.reset()


os.register_at_fork(after_in_child=_reset_writers)
