"""SQLite: durable connections, write transactions that lock at once, and one thread that commits writes in groups.

SQLite has one writer at a time. So one thread of each process writes, and commits all writes that wait by then in one
transaction, with one wait for the disk:

    buyer A ─ write ─┐                                                  ┌─▶ result of A
    buyer B ─ write ─┼─▶ lock file ─▶ BEGIN IMMEDIATE, A, B, C, COMMIT ─┼─▶ result of B
    buyer C ─ write ─┘                                                  └─▶ result of C

Where one of them raises, the transaction is rolled back and each write runs alone in a transaction of its own.
"""

import fcntl
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from app import deadline
from app.database import faults, sqlite_files
from app.errors import DatabaseUnavailable

T = TypeVar("T")

LOCK_TIMEOUT_SECONDS = 5
PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # Deleted bytes are overwritten with zeros. FAST would leave long notes in the file.
    "secure_delete = ON",
)
IMMEDIATE_TRANSACTION = {"sqlite_begin": "BEGIN IMMEDIATE"}


def configure_engine(engine: Engine) -> None:
    """Set up every connection of the engine."""
    sqlite_files.configure_engine(engine)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin_transaction)


def _set_pragmas(connection: Any, _record: object) -> None:
    # Otherwise the driver begins transactions by itself: too late, and never IMMEDIATE.
    connection.isolation_level = None
    _set_busy_timeout(connection)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _set_busy_timeout(connection: Any) -> None:
    seconds = min(deadline.seconds_left(), LOCK_TIMEOUT_SECONDS)
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


def _begin_transaction(connection: Connection) -> None:
    _set_busy_timeout(connection.connection.driver_connection)
    # A transaction that reads first and writes later fails at once while another one writes: writers lock first.
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


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


@dataclass(frozen=True)
class PendingWrite:
    """Work for the writer thread, and the future on which its caller waits."""

    work: Callable[[Connection], Any]
    future: "Future[Any]"
    # The caller's context variables: lines that the work logs carry the caller's request.
    context: Context = field(default_factory=copy_context)

    def start(self) -> bool:
        """Mark the write as running, so that its caller can no longer cancel it; return whether that succeeded.

        False: the caller has already given up, or the write is done.
        """
        return self.future.running() or (not self.future.done() and self.future.set_running_or_notify_cancel())


class WriterThread:
    """The one thread of this process that writes to SQLite."""

    def __init__(self, engine: Engine, timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> None:
        self._engine = engine
        self._timeout_seconds = timeout_seconds
        self._blocked_by = "WriterQueue"
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns, once it is on disk. The work may run more than once, each time from the start.

        Raises:
            DatabaseUnavailable: the work did not start in time, and never will.
        """
        self._ensure_started()
        future: Future[T] = Future()
        self._queue.put(PendingWrite(work, future))
        try:
            wait([future], min(self._timeout_seconds, deadline.seconds_left()))
        finally:
            is_abandoned = future.cancel()  # on Ctrl-C, too; a write that runs already cannot be stopped
        if is_abandoned:
            raise DatabaseUnavailable(self._blocked_by)
        return future.result()

    def _ensure_started(self) -> None:
        # At the first write, and again in a process forked after it, which must not run its parent's writes. Not a
        # ThreadPoolExecutor: once the main thread has ended, and gunicorn's threads still finish, that takes no work.
        with self._start_lock:
            if self._thread is None or not self._thread.is_alive():
                self._queue: SimpleQueue[PendingWrite | None] = SimpleQueue()
                self._lock = WriterLock(self._engine)
                # While it waits, the thread refers to nothing of this object, so that this ends with its application.
                arguments = (weakref.ref(self), self._queue)
                self._thread = threading.Thread(target=_run_writes, args=arguments, name="sqlite-writer", daemon=True)
                self._thread.start()
                weakref.finalize(self, self._queue.put, None).atexit = False

    def run_with_waiting(self, pending: PendingWrite) -> None:
        """Commit the write, and all that wait by then."""
        if pending.future.done():  # abandoned
            return
        try:
            self._blocked_by = "WriterLock"
            with self._lock.hold(pending.future.cancelled):
                waiting = filter(None, (self._queue.get() for _ in range(self._queue.qsize())))
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
                results = [(pending.future, pending.context.run(pending.work, connection)) for pending in started]
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
            for future, result in results:
                future.set_result(result)


def _run_writes(writer: "weakref.ref[WriterThread]", queue: "SimpleQueue[PendingWrite | None]") -> None:
    while pending := queue.get():
        if running := writer():
            running.run_with_waiting(pending)
        del pending, running


def _is_database_failure(error: BaseException) -> bool:
    # A database that fails would fail each write again. SQLITE_ERROR is one statement's fault, as of a missing table.
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlite_errorname", "") != "SQLITE_ERROR"


def _fail(group: list[PendingWrite], error: BaseException) -> None:
    for pending in group:
        if pending.start():
            pending.future.set_exception(error)
