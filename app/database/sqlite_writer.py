"""SQLite's writes, committed in groups.

SQLite has one writer at a time. A write that finds no other under way runs on its caller's thread. Those that come
meanwhile wait, and one thread commits all of them in one transaction, with one wait for the disk:

    buyer A ─ write ─────────▶ lock file ─▶ BEGIN IMMEDIATE, A, COMMIT ─────────▶ result of A
    buyer B ─ write ─┐                                                        ┌─▶ result of B
    buyer C ─ write ─┴ A ends ─▶ lock file ─▶ BEGIN IMMEDIATE, B, C, COMMIT ──┴─▶ result of C

Where one of them raises, the transaction is rolled back and each write runs alone in a transaction of its own.
"""

import fcntl
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from app import deadline
from app.database import faults, sqlite_files
from app.database.pending_write import PendingWrite
from app.database.sqlite import LOCK_TIMEOUT_SECONDS
from app.errors import DatabaseUnavailable

T = TypeVar("T")

_writers: "weakref.WeakSet[Writer]" = weakref.WeakSet()


class WriterLock:
    """The lock file that lets one process of this machine write at a time; SQLite's own wait polls ever more slowly.

    A process opens it once: not one that its parent has open, with which it would share the lock.
    """

    def __init__(self, engine: Engine) -> None:
        self._database = str(engine.url.database)
        self._descriptor: int | None = None

    @contextmanager
    def hold(self, is_abandoned: Callable[[], bool]) -> Iterator[None]:
        """Hold the lock for the `with` block.

        Raises:
            DatabaseUnavailable: the file cannot be opened, or the write was abandoned before the lock was free.
        """
        # Without a name, it is another file that new processes lock.
        if self._descriptor is None or not os.fstat(self._descriptor).st_nlink:
            self._descriptor = self._open()
        lock = self._descriptor
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if is_abandoned():
                    raise DatabaseUnavailable("WriterLock") from None
            time.sleep(0.001)
        try:
            yield
        finally:
            # Closing it would not do: a child forked meanwhile has the file open as well.
            fcntl.flock(lock, fcntl.LOCK_UN)

    def _open(self) -> int:
        database = sqlite_files.locate(self._database)
        # Without a database, there is nothing to lock either.
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if sqlite_files.find_identity(database) else 0)
        try:
            lock = os.open(f"{database}-writer", flags, sqlite_files.PRIVATE_MODE)
            weakref.finalize(self, os.close, lock)
            sqlite_files.give_to_owner(lock, Path(database))
        except OSError as error:
            raise faults.file_unavailable(error) from error
        return lock


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
        self._turn, self._start_lock = threading.Lock(), threading.Lock()
        self._lock = WriterLock(self._engine)
        self._waiting: deque[PendingWrite] = deque()
        self._thread: WriterThread | None = None

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns, once it is on disk. The work may run more than once, each time from the start.

        Raises:
            DatabaseUnavailable: the work did not start in time, and never will.
        """
        seconds = min(self._timeout_seconds, deadline.seconds_left())
        pending = PendingWrite(work, time.monotonic() + seconds)
        if not self._waiting and self._turn.acquire(blocking=False):
            # On this thread: a change of threads would cost a tenth of a landing.
            try:
                self._commit_with_waiting(pending)
            finally:
                self._turn.release()
            if self._waiting:
                self._wake_thread()
        else:
            self._wait_for_thread(pending, seconds)
        result: T = pending.result()
        return result

    def _wait_for_thread(self, pending: PendingWrite, seconds: float) -> None:
        self._waiting.append(pending)
        # Who stands first wakes the thread for all behind; who has been taken along already need not.
        with suppress(IndexError):
            if self._waiting[0] is pending:
                self._wake_thread()
        try:
            pending.wait(seconds)
        finally:
            is_abandoned = pending.give_up()  # on Ctrl-C, too; a write that runs already cannot be stopped
        if is_abandoned:
            raise DatabaseUnavailable(self._blocked_by)

    def _wake_thread(self) -> None:
        with self._start_lock:
            # At the first write that waits. Not a ThreadPoolExecutor: once the main thread has ended, and gunicorn's
            # threads still finish, that takes no work.
            if self._thread is None:
                self._thread = WriterThread(self)
        self._thread.wake()

    def commit_waiting(self) -> None:
        """Commit the writes that wait, whenever none is under way, until none waits."""
        while self._waiting:
            with self._turn:
                if self._waiting:
                    self._commit_with_waiting(self._waiting.popleft())

    def _commit_with_waiting(self, pending: PendingWrite) -> None:
        """Commit the write, and all that wait once the lock file is held."""
        if pending.has_given_up():
            return
        try:
            self._blocked_by = "WriterLock"
            with self._lock.hold(pending.is_abandoned):
                waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
                self._commit([pending, *waiting])
        except Exception as error:  # noqa: BLE001  # the caller raises it again
            _fail([pending], error)

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


class WriterThread:
    """The thread that commits waiting writes; it ends with its writer."""

    def __init__(self, writer: Writer) -> None:
        self._wakes: SimpleQueue[bool] = SimpleQueue()
        # While it waits, the thread refers to nothing of the writer.
        arguments = (weakref.ref(writer), self._wakes)
        self.thread = threading.Thread(target=_commit_at_wakes, args=arguments, name="sqlite-writer", daemon=True)
        self.thread.start()
        weakref.finalize(writer, self._wakes.put, False).atexit = False

    def wake(self) -> None:
        """Let the thread commit what waits."""
        self._wakes.put(True)


def _commit_at_wakes(writer: "weakref.ref[Writer]", wakes: "SimpleQueue[bool]") -> None:
    while wakes.get():
        if running := writer():
            running.commit_waiting()
        del running


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
