"""SQLite's queue of writers: those who wait together are committed together, and each is told of its own."""

import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import IntegrityError

from app.config.settings import SettingsError
from app.database import sqlite
from app.database.sqlite import GroupCommitter
from app.errors import DatabaseUnavailable
from tests.support import factories

BEGUN = "BEGIN IMMEDIATE"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine on a file with one table of unique names."""
    engine = create_engine(f"sqlite:///{tmp_path / 'names.db'}")
    sqlite.configure_engine(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE names (name TEXT UNIQUE)"))
    return engine.execution_options(**sqlite.IMMEDIATE_TRANSACTION)


def names(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT name FROM names ORDER BY name")).scalars())


def add(name: str, connection: Connection) -> str:
    connection.execute(text("INSERT INTO names VALUES (:name)"), {"name": name})
    return name


def crowd(writers: GroupCommitter, *wanted: str) -> list[Future[str]]:
    """Have all names wait behind a writer that is at work, and return what came of each."""
    at_work, go_on = threading.Event(), threading.Event()

    def first(connection: Connection) -> str:
        at_work.set()
        go_on.wait(10)
        return add("first", connection)

    with ThreadPoolExecutor(len(wanted) + 1) as threads:
        threads.submit(writers.write, first)
        at_work.wait(10)
        futures = [threads.submit(writers.write, lambda c, name=name: add(name, c)) for name in wanted]
        while len(writers._pending_writes) < len(wanted):
            threading.Event().wait(0.001)
        go_on.set()
    return futures


def test_those_who_wait_together_are_committed_together(engine: Engine) -> None:
    commits: list[object] = []
    writers = GroupCommitter(engine)
    event.listen(engine, "commit", commits.append)

    futures = crowd(writers, *"abcdefgh")

    assert [future.result() for future in futures] == list("abcdefgh")
    assert names(engine) == sorted(["first", *"abcdefgh"])
    assert len(commits) == 2
    engine.dispose()


def test_one_that_fails_fails_alone(engine: Engine) -> None:
    futures = crowd(GroupCommitter(engine), "a", "a", "b")

    failed = [future.exception() for future in futures]
    assert sorted(type(error).__name__ for error in failed) == ["IntegrityError", "NoneType", "NoneType"]
    assert any(isinstance(error, IntegrityError) for error in failed)
    assert names(engine) == ["a", "b", "first"]
    engine.dispose()


def test_a_writer_that_never_ends_elsewhere_is_given_up(engine: Engine, tmp_path: Path) -> None:
    with (tmp_path / "names.db-writer").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DatabaseUnavailable, match="WriterLock"):
            GroupCommitter(engine, timeout_seconds=0.05).write(lambda connection: add("a", connection))

    assert names(engine) == []
    engine.dispose()


@contextmanager
def another_process_at_work(folder: Path) -> Iterator[None]:
    with (folder / "names.db-writer").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def together(
    writers: GroupCommitter, folder: Path, threads: ThreadPoolExecutor, slow: Callable[[], object]
) -> tuple[Future[str], Future[str]]:
    """Have one writer take along another, who comes after it in the same transaction; the first is slow there."""

    def first(connection: Connection) -> str:
        slow()
        return add("first", connection)

    with another_process_at_work(folder):
        leader = threads.submit(writers.write, first)
        while not (writers._leader_lock.locked() and writers._pending_writes):
            threading.Event().wait(0.001)
        follower = threads.submit(writers.write, lambda connection: add("second", connection))
        while len(writers._pending_writes) < 2:
            threading.Event().wait(0.001)
    return leader, follower


def test_what_another_process_kept_waiting_too_long_is_never_written(engine: Engine, tmp_path: Path) -> None:
    writers = GroupCommitter(engine, timeout_seconds=0.05)
    with another_process_at_work(tmp_path), pytest.raises(DatabaseUnavailable, match="WriterLock"):
        writers.write(lambda connection: add("given up", connection))

    writers.write(lambda connection: add("next", connection))

    assert names(engine) == ["next"]
    engine.dispose()


def test_what_waited_too_long_for_its_turn_is_never_written(engine: Engine) -> None:
    writers = GroupCommitter(engine, timeout_seconds=0.05)
    at_work, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> str:
        at_work.set()
        go_on.wait(10)
        return add("slow", connection)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(writers.write, slow)
        at_work.wait(10)
        with pytest.raises(DatabaseUnavailable, match="WriterQueue"):
            writers.write(lambda connection: add("given up", connection))
        go_on.set()
    writers.write(lambda connection: add("next", connection))

    assert names(engine) == ["next", "slow"]
    engine.dispose()


def test_what_is_being_written_when_the_patience_ends_is_waited_for(engine: Engine, tmp_path: Path) -> None:
    patience = 0.5
    writers = GroupCommitter(engine, timeout_seconds=patience)

    with ThreadPoolExecutor(2) as threads:
        leader, follower = together(writers, tmp_path, threads, lambda: threading.Event().wait(patience * 1.4))

    assert [leader.result(), follower.result()] == ["first", "second"]
    assert names(engine) == ["first", "second"]
    engine.dispose()


def test_what_was_given_up_is_not_begun_by_a_writer_who_took_it_along(engine: Engine, tmp_path: Path) -> None:
    go_on = threading.Event()

    with ThreadPoolExecutor(2) as threads:
        leader, follower = together(
            GroupCommitter(engine, timeout_seconds=0.3), tmp_path, threads, lambda: go_on.wait(10)
        )
        given_up = follower.exception(10)
        go_on.set()

    assert isinstance(given_up, DatabaseUnavailable)
    assert leader.result() == "first"
    assert names(engine) == ["first"]
    engine.dispose()


def test_a_reader_meets_no_lock(engine: Engine, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "names.db", timeout=0, isolation_level=None)) as other:
        other.execute(BEGUN)

        assert names(engine.execution_options(sqlite_begin="BEGIN")) == []
    engine.dispose()


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = factories.settings(database_url=f"sqlite:///{tmp_path / 'file' / 'foyer.db'}")

    with pytest.raises(SettingsError, match="DATABASE_URL"):
        sqlite.configure_engine(create_engine(settings.sqlalchemy_url))
