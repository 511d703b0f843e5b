"""SQLite's queue of writers: those who wait together are committed together, and each is told of its own."""

import fcntl
import sqlite3
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import IntegrityError

from app import sqlite
from app.errors import DatabaseUnavailable
from app.settings import SettingsError
from app.sqlite import Writers
from tests import factories

BEGUN = "BEGIN IMMEDIATE"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine on a file with one table of unique names."""
    engine = create_engine(f"sqlite:///{tmp_path / 'names.db'}")
    sqlite.prepare(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE names (name TEXT UNIQUE)"))
    return engine.execution_options(**sqlite.BEGIN_WRITING)


def names(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT name FROM names ORDER BY name")).scalars())


def add(name: str, connection: Connection) -> str:
    connection.execute(text("INSERT INTO names VALUES (:name)"), {"name": name})
    return name


def crowd(writers: Writers, *wanted: str) -> list[Future[str]]:
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
        while len(writers._waiting) < len(wanted):
            threading.Event().wait(0.001)
        go_on.set()
    return futures


def test_those_who_wait_together_are_committed_together(engine: Engine) -> None:
    commits: list[object] = []
    writers = Writers(engine)
    event.listen(engine, "commit", commits.append)

    futures = crowd(writers, *"abcdefgh")

    assert [future.result() for future in futures] == list("abcdefgh")
    assert names(engine) == sorted(["first", *"abcdefgh"])
    assert len(commits) == 2
    engine.dispose()


def test_one_that_fails_fails_alone(engine: Engine) -> None:
    futures = crowd(Writers(engine), "a", "a", "b")

    failed = [future.exception() for future in futures]
    assert sorted(type(error).__name__ for error in failed) == ["IntegrityError", "NoneType", "NoneType"]
    assert any(isinstance(error, IntegrityError) for error in failed)
    assert names(engine) == ["a", "b", "first"]
    engine.dispose()


def test_a_writer_that_never_ends_elsewhere_is_given_up(engine: Engine, tmp_path: Path) -> None:
    with (tmp_path / "names.db-writer").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DatabaseUnavailable, match="WriterLock"):
            Writers(engine, wait_seconds=0.05).write(lambda connection: add("a", connection))

    assert names(engine) == []
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
        sqlite.prepare(create_engine(settings.sqlalchemy_url))
