"""SQLite's writes, committed in groups.

SQLite has one writer at a time. A write that finds no other under way is committed at once. Those that come meanwhile
wait. The first of them is the next leader: its thread commits all in one transaction, with one wait for the disk:

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
        self._lock = WriterLock(str(self._engine.url.database))
        # Held for a few instructions, by whoever changes what follows.
        self._state = threading.Lock()
        self._waiting: deque[PendingWrite] = deque()
        # The writes of the present group, its leader's among them, whose callers have not left.
        self._group: set[PendingWrite] = set()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns, once it is on disk. The work may run more than once, each time from the start.

        Raises:
            DatabaseUnavailable: the work did not start in time, and never will.
        """
        seconds = min(self._timeout_seconds, deadline.seconds_left())
        ends_at = time.monotonic() + seconds
        pending = PendingWrite(work)
        try:
            self._join(pending)
            if not pending.is_leader:
                pending.wait(seconds)
            if pending.is_leader:
                self._lead(pending, ends_at)
        finally:
            is_abandoned = pending.give_up()  # on Ctrl-C, too; a write that runs already cannot be stopped
            self._leave(pending)
        if is_abandoned:
            raise DatabaseUnavailable(self._blocked_by)
        result: T = pending.result()
        return result

    def _join(self, pending: PendingWrite) -> None:
        """Let the write lead where no group is present, and wait otherwise."""
        with self._state:
            self._waiting.append(pending)
            if not self._group:
                self._appoint_leader()

    def _leave(self, pending: PendingWrite) -> None:
        """Take the caller out of the queue or the group. After the last of a group, the first that waits leads.

        Earlier, the next leader would compete with those callers for Python's lock, and more groups be smaller ones.
        """
        with self._state:
            if pending in self._group:
                self._group.remove(pending)
                if not self._group and self._waiting:
                    self._appoint_leader()
            else:
                with suppress(ValueError):
                    self._waiting.remove(pending)

    def _appoint_leader(self) -> None:
        leader = self._waiting.popleft()
        self._group.add(leader)
        leader.lead()

    def _lead(self, leader: PendingWrite, ends_at: float) -> None:
        """Commit the leader's write and all that wait, once no other process writes."""
        self._blocked_by = "WriterLock"
        self._lock.acquire(ends_at)
        try:
            self._commit([leader, *self._take_waiting()])
        finally:
            self._lock.release()

    def _take_waiting(self) -> list[PendingWrite]:
        with self._state:
            taken = list(self._waiting)
            self._waiting.clear()
            self._group.update(taken)
        return taken

    def _commit(self, group: list[PendingWrite]) -> None:
        has_begun = False
        try:
            self._blocked_by = "SQLITE_BUSY"  # another program, such as a backup, holds the database
            with self._engine.begin() as connection:
                self._blocked_by, has_begun = "WriterQueue", True
                file = connection.connection.info["file"]
                started = (pending for pending in group if pending.start())
                results = [(pending, pending.run(connection)) for pending in started]
            if file != sqlite_files.find_identity(str(self._engine.url.database)):
                # Meanwhile, that is: it was in its place when the transaction began.
                raise DatabaseUnavailable(faults.FILE_MOVED_CODE)  # one place fails the writes
        except Exception as error:  # noqa: BLE001  # the callers raise it again
            if not has_begun and _is_locked(error):
                self._fail_leader(group, error)
            elif len(group) == 1 or _is_database_failure(error):
                _fail(group, error)
            else:  # one write failed: each runs alone
                for pending in group:
                    self._commit([pending])
        except BaseException:  # Ctrl-C, on the leader's thread
            _fail(group, DatabaseUnavailable("Interrupted"))
            raise
        else:
            for pending, result in results:
                pending.settle(result)

    def _fail_leader(self, group: list[PendingWrite], error: Exception) -> None:
        """Fail the leader, whose time is over. The others may have more, and wait again, in their order."""
        leader, *others = group
        _fail([leader], error)
        with self._state:
            staying = [pending for pending in others if pending in self._group]
            self._group.difference_update(staying)
            self._waiting.extendleft(reversed(staying))


def _is_locked(error: Exception) -> bool:
    return isinstance(error, OperationalError) and faults.code_of(error).startswith("SQLITE_BUSY")


def _is_database_failure(error: Exception) -> bool:
    # A database that fails would fail each write again. SQLITE_ERROR is one statement's fault, as of a missing table.
    return isinstance(error, OperationalError) and faults.code_of(error) != "SQLITE_ERROR"


def _fail(group: list[PendingWrite], error: Exception) -> None:
    for pending in group:
        if pending.start():
            pending.settle(error=error)


def _reset_writers() -> None:
    for writer in _writers:
        writer.reset()


os.register_at_fork(after_in_child=_reset_writers)
