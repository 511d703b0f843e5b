"""SQLite's ways: durable connections, writers that lock at once, and a queue in which writers commit together."""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from app.config.settings import SettingsError
from app.errors import DatabaseUnavailable

T = TypeVar("T")

LOCK_TIMEOUT_SECONDS = 5
LOCK_POLL_SECONDS = 0.001
PRAGMAS = (
    "busy_timeout = 5000",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # What is erased is written over. FAST would leave long notes where they were.
    "secure_delete = ON",
)
IMMEDIATE_TRANSACTION = {"sqlite_begin": "BEGIN IMMEDIATE"}


def configure_engine(engine: Engine) -> None:
    """Set up the connections that the engine will make, and the folder of its file.

    Raises:
        SettingsError: the folder cannot be made.
    """
    folder = Path(str(engine.url.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"DATABASE_URL: the folder {folder} cannot be made: {error.strerror}.") from None
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin_transaction)


def _set_pragmas(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, too late and never IMMEDIATE.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_transaction(connection: Connection) -> None:
    # A reader that turns writer half-way fails at once when another writes: writers take their lock first.
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


@contextmanager
def _writer_lock(engine: Engine, timeout_seconds: float) -> Iterator[None]:
    """Wait until no other process of this machine writes, asking every millisecond: SQLite would ask ever less often.

    Raises:
        DatabaseUnavailable: the turn did not come in time, or the lock's file cannot be opened.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        lock = os.open(f"{engine.url.database}-writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise DatabaseUnavailable(type(error).__name__) from error
    try:
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable("WriterLock")
            time.sleep(LOCK_POLL_SECONDS)
        yield
    finally:
        os.close(lock)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class PendingWrite(Generic[T]):
    """One thread's work in a transaction, and what came of it."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: Exception | None = None
        self.is_done = False

    def finish(self, result: T | None = None, error: Exception | None = None) -> None:
        """Keep what came of it."""
        self.result, self.error, self.is_done = result, error, True


class GroupCommitter:
    """The threads of this process that write to SQLite.

    SQLite has one writer at a time, and its writers poll for their turn, ever more slowly. So only one thread of a
    process polls, and it takes along all who came meanwhile: one transaction, one wait for the disk.
    """

    def __init__(self, engine: Engine, timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> None:
        self._engine = engine
        self._timeout_seconds = timeout_seconds
        self._leader_lock = threading.Lock()
        self._pending_writes: deque[PendingWrite[Any]] = deque()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns, once it is on disk. It may run more than once, each time from the start.

        Raises:
            DatabaseUnavailable: the turn did not come in time.
        """
        mine = PendingWrite(work)
        self._pending_writes.append(mine)
        if self._leader_lock.acquire(timeout=self._timeout_seconds):
            try:
                if not mine.is_done:
                    self._commit_as_leader(mine)
            finally:
                self._leader_lock.release()
        else:
            self._withdraw(mine)
        if not mine.is_done:
            raise DatabaseUnavailable("WriterQueue")
        if mine.error:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # a settled write without an error has its result

    def _commit_as_leader(self, write: PendingWrite[Any]) -> None:
        try:
            with _writer_lock(self._engine, self._timeout_seconds):
                self._commit_group()
        except DatabaseUnavailable:
            # Its thread is told that nothing was written: nobody may write it later.
            self._pending_writes.remove(write)
            raise

    def _withdraw(self, write: PendingWrite[Any]) -> None:
        """Take the write back; where another thread has taken it along, wait for what comes of it."""
        with suppress(ValueError):
            self._pending_writes.remove(write)
            return
        deadline = time.monotonic() + self._timeout_seconds
        while not write.is_done and time.monotonic() < deadline:
            time.sleep(LOCK_POLL_SECONDS)
        # What has not begun by now does not begin any more.
        write.work = lambda _: None

    def _commit_group(self) -> None:
        group: list[PendingWrite[Any]] = []
        # Whoever gives up takes theirs back meanwhile, so that a count taken first would be wrong.
        with suppress(IndexError):
            while True:
                group.append(self._pending_writes.popleft())
        try:
            with self._engine.begin() as connection:
                results = [write.work(connection) for write in group]
        except OperationalError as error:
            for write in group:
                write.finish(error=error)
        except Exception:  # noqa: BLE001  # one of them failed: each is told of its own
            for write in group:
                self._commit_one(write)
        else:
            for write, result in zip(group, results, strict=True):
                write.finish(result)

    def _commit_one(self, write: PendingWrite[Any]) -> None:
        try:
            with self._engine.begin() as connection:
                result = write.work(connection)
        except Exception as error:  # noqa: BLE001  # raised again by the thread it belongs to
            write.finish(error=error)
        else:
            write.finish(result)
