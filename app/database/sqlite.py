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

WAIT_SECONDS = 5
POLL_SECONDS = 0.001
PRAGMAS = (
    "busy_timeout = 5000",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # What is erased is written over. FAST would leave long notes where they were.
    "secure_delete = ON",
)
BEGIN_WRITING = {"sqlite_begin": "BEGIN IMMEDIATE"}


def prepare(engine: Engine) -> None:
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
    event.listen(engine, "begin", _begin)


def _set_pragmas(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, too late and never IMMEDIATE.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A reader that turns writer half-way fails at once when another writes: writers take their lock first.
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


@contextmanager
def _only_process(engine: Engine, wait_seconds: float) -> Iterator[None]:
    """Wait until no other process of this machine writes, asking every millisecond: SQLite would ask ever less often.

    Raises:
        DatabaseUnavailable: the turn did not come in time, or the lock's file cannot be opened.
    """
    deadline = time.monotonic() + wait_seconds
    try:
        lock = os.open(f"{engine.url.database}-writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise DatabaseUnavailable(type(error).__name__) from error
    try:
        while not _lock(lock):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable("WriterLock")
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(lock)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Write(Generic[T]):
    """One thread's work in a transaction, and what came of it."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: Exception | None = None
        self.settled = False

    def settle(self, result: T | None = None, error: Exception | None = None) -> None:
        """Keep what came of it."""
        self.result, self.error, self.settled = result, error, True


class Writers:
    """The threads of this process that write to SQLite.

    SQLite has one writer at a time, and its writers poll for their turn, ever more slowly. So only one thread of a
    process polls, and it takes along all who came meanwhile: one transaction, one wait for the disk.
    """

    def __init__(self, engine: Engine, wait_seconds: float = WAIT_SECONDS) -> None:
        self._engine = engine
        self._wait_seconds = wait_seconds
        self._turn = threading.Lock()
        self._waiting: deque[Write[Any]] = deque()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns, once it is on disk. It may run more than once, each time from the start.

        Raises:
            DatabaseUnavailable: the turn did not come in time.
        """
        mine = Write(work)
        self._waiting.append(mine)
        if self._turn.acquire(timeout=self._wait_seconds):
            try:
                if not mine.settled:
                    self._lead(mine)
            finally:
                self._turn.release()
        else:
            self._give_up(mine)
        if not mine.settled:
            raise DatabaseUnavailable("WriterQueue")
        if mine.error:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # a settled write without an error has its result

    def _lead(self, mine: Write[Any]) -> None:
        try:
            with _only_process(self._engine, self._wait_seconds):
                self._commit_together()
        except DatabaseUnavailable:
            # Its thread is told that nothing was written: nobody may write it later.
            self._waiting.remove(mine)
            raise

    def _give_up(self, mine: Write[Any]) -> None:
        """Take the write back; where another thread has taken it along, wait for what comes of it."""
        with suppress(ValueError):
            self._waiting.remove(mine)
            return
        deadline = time.monotonic() + self._wait_seconds
        while not mine.settled and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        # What has not begun by now does not begin any more.
        mine.work = lambda _: None

    def _commit_together(self) -> None:
        group: list[Write[Any]] = []
        # Whoever gives up takes theirs back meanwhile, so that a count taken first would be wrong.
        with suppress(IndexError):
            while True:
                group.append(self._waiting.popleft())
        try:
            with self._engine.begin() as connection:
                results = [write.work(connection) for write in group]
        except OperationalError as error:
            for write in group:
                write.settle(error=error)
        except Exception:  # noqa: BLE001  # one of them failed: each is told of its own
            for write in group:
                self._commit_alone(write)
        else:
            for write, result in zip(group, results, strict=True):
                write.settle(result)

    def _commit_alone(self, write: Write[Any]) -> None:
        try:
            with self._engine.begin() as connection:
                result = write.work(connection)
        except Exception as error:  # noqa: BLE001  # raised again by the thread it belongs to
            write.settle(error=error)
        else:
            write.settle(result)
