"""The lock file of SQLite's writer: another process holds it, it is deleted, or it cannot be opened."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.database.sqlite_writer import Writer
from app.errors import DatabaseUnavailable
from tests.support.sqlite_names import (
    another_process_writing,
    insert,
    open_engine,
    stored_names,
    wait_for_leader,
    wait_for_pending,
)

DEADLINES = (0, 0.0005, 0.002, 0.01, 5)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a new file."""
    with open_engine(tmp_path) as engine:
        yield engine


def test_write_blocked_by_another_process_is_abandoned(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine, timeout_seconds=0.2)
    with another_process_writing(tmp_path), pytest.raises(DatabaseUnavailable, match="WriterLock"):
        writer.write(lambda connection: insert("abandoned", connection))

    writer.write(lambda connection: insert("next", connection))

    assert stored_names(engine) == ["next"]


def test_write_behind_one_abandoned_at_the_lock_file_is_committed(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine, timeout_seconds=0.2)
    with ThreadPoolExecutor(2) as threads:
        with another_process_writing(tmp_path):
            abandoned = threads.submit(writer.write, partial(insert, "abandoned"))
            wait_for_leader(writer)
            writer._timeout_seconds = 20
            served = threads.submit(writer.write, partial(insert, "served"))
            wait_for_pending(writer, 1)
            error = abandoned.exception(10)

        assert isinstance(error, DatabaseUnavailable)
        assert served.result(10) == "served"
    assert stored_names(engine) == ["served"]


def test_racing_writes_are_stored_if_acknowledged_and_only_then(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine)
    acknowledged: list[str] = []

    def write(name: str, seconds: float) -> None:
        with suppress(DatabaseUnavailable):
            writer._timeout_seconds = seconds
            acknowledged.append(writer.write(partial(insert, name)))

    with ThreadPoolExecutor(12) as threads:
        for number in range(300):
            threads.submit(write, f"{number:03}", DEADLINES[number % len(DEADLINES)])
            if number % 30 == 0:
                with another_process_writing(tmp_path):
                    threading.Event().wait(0.005)

    assert sorted(acknowledged) == stored_names(engine)
    assert not writer._waiting
    assert 100 < len(acknowledged) < 300


def test_lock_file_that_was_deleted_is_locked_anew(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine, timeout_seconds=0.2)
    writer.write(lambda connection: insert("first", connection))
    (tmp_path / "names.db-writer").unlink()

    with another_process_writing(tmp_path), pytest.raises(DatabaseUnavailable, match="WriterLock"):
        writer.write(lambda connection: insert("abandoned", connection))


def test_lock_file_deleted_while_another_process_holds_it_is_left(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine)
    writer.write(lambda connection: insert("first", connection))

    with another_process_writing(tmp_path):
        (tmp_path / "names.db-writer").unlink()
        writer.write(lambda connection: insert("second", connection))

    assert stored_names(engine) == ["first", "second"]


def test_unopenable_lock_file_fails_only_the_waiting_write(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine)
    (tmp_path / "names.db-writer").mkdir()
    with pytest.raises(DatabaseUnavailable, match="IsADirectoryError"):
        writer.write(lambda connection: insert("failed", connection))
    (tmp_path / "names.db-writer").rmdir()

    writer.write(lambda connection: insert("next", connection))

    assert stored_names(engine) == ["next"]
