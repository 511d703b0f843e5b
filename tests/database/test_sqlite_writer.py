"""SQLite's writer: waiting writes are committed together, and each caller gets the result of its own."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app import deadline
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


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a new file."""
    with open_engine(tmp_path) as engine:
        yield engine


@contextmanager
def slow_write(writer: Writer) -> Iterator[ThreadPoolExecutor]:
    """Keep the writer busy with inserting "slow" until the block ends."""
    is_started, may_end = threading.Event(), threading.Event()

    def insert_slowly(connection: Connection) -> str:
        is_started.set()
        may_end.wait(10)
        return insert("slow", connection)

    with ThreadPoolExecutor(16) as threads:
        threads.submit(writer.write, insert_slowly)
        is_started.wait(10)
        try:
            yield threads
        finally:
            may_end.set()


def write_while_busy(writer: Writer, *names: str) -> list[Future[str]]:
    """Insert all names behind a write that is under way, each from a thread of its own."""
    with slow_write(writer) as threads:
        futures = [threads.submit(writer.write, lambda c, name=name: insert(name, c)) for name in names]
        wait_for_pending(writer, len(names))
    return futures


def write_in_one_group(
    writer: Writer, folder: Path, threads: ThreadPoolExecutor, delays: dict[str, Callable[[], object]]
) -> list[Future[str]]:
    """Insert "first" and "second" in one transaction, each after its delay."""

    def insert_after_delay(name: str, connection: Connection) -> str:
        delays.get(name, lambda: None)()
        return insert(name, connection)

    with another_process_writing(folder):
        first = threads.submit(writer.write, partial(insert_after_delay, "first"))
        wait_for_leader(writer)
        second = threads.submit(writer.write, partial(insert_after_delay, "second"))
        wait_for_pending(writer, 1)
    return [first, second]


def write_within(seconds: float, writer: Writer, name: str) -> str:
    """Insert the name in a request that has so many seconds left."""
    now = time.monotonic()
    deadline._request.set(deadline._Request(now, now + seconds))
    return writer.write(partial(insert, name))


def test_waiting_writes_are_committed_together(engine: Engine) -> None:
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)

    futures = write_while_busy(Writer(engine), *"abcdefgh")

    assert [future.result() for future in futures] == list("abcdefgh")
    assert stored_names(engine) == sorted(["slow", *"abcdefgh"])
    assert len(commits) == 2


def test_failing_write_does_not_fail_others_in_its_commit(engine: Engine) -> None:
    futures = write_while_busy(Writer(engine), "a", "a", "b")

    errors = [future.exception() for future in futures]
    assert sorted(type(error).__name__ for error in errors) == ["IntegrityError", "NoneType", "NoneType"]
    assert any(isinstance(error, IntegrityError) for error in errors)
    assert stored_names(engine) == ["a", "b", "slow"]


def test_write_to_missing_table_does_not_fail_others_in_its_commit(engine: Engine) -> None:
    writer = Writer(engine)
    with slow_write(writer) as threads:
        first = threads.submit(writer.write, partial(insert, "first"))
        missing = threads.submit(writer.write, lambda connection: connection.execute(text("DELETE FROM nowhere")))
        second = threads.submit(writer.write, partial(insert, "second"))
        wait_for_pending(writer, 3)

    assert [first.result(), second.result()] == ["first", "second"]
    assert isinstance(missing.exception(), OperationalError)
    assert stored_names(engine) == ["first", "second", "slow"]


def test_write_runs_in_its_callers_context(engine: Engine) -> None:
    caller: ContextVar[str] = ContextVar("caller")
    caller.set("a")

    assert Writer(engine).write(lambda connection: insert(caller.get(), connection)) == "a"


def test_write_that_waited_too_long_is_never_committed(engine: Engine) -> None:
    writer = Writer(engine, timeout_seconds=0.2)
    with slow_write(writer), pytest.raises(DatabaseUnavailable, match="WriterQueue"):
        writer.write(lambda connection: insert("abandoned", connection))
    writer.write(lambda connection: insert("next", connection))

    assert stored_names(engine) == ["next", "slow"]


def test_started_writes_are_waited_for_beyond_the_timeout(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine, timeout_seconds=0.5)

    with ThreadPoolExecutor(2) as threads:
        futures = write_in_one_group(writer, tmp_path, threads, {"second": lambda: threading.Event().wait(0.7)})

    assert [future.result() for future in futures] == ["first", "second"]
    assert stored_names(engine) == ["first", "second"]


def test_write_behind_an_abandoned_one_is_committed(engine: Engine) -> None:
    writer = Writer(engine, timeout_seconds=0.2)
    with slow_write(writer) as threads:
        abandoned = threads.submit(writer.write, partial(insert, "abandoned"))
        wait_for_pending(writer, 1)
        writer._timeout_seconds = 20
        served = threads.submit(writer.write, partial(insert, "served"))
        wait_for_pending(writer, 2)
        error = abandoned.exception(10)

    assert isinstance(error, DatabaseUnavailable)
    assert served.result(10) == "served"
    assert stored_names(engine) == ["served", "slow"]


def test_abandoned_write_is_left_out_of_its_group(engine: Engine, tmp_path: Path) -> None:
    may_continue = threading.Event()
    writer = Writer(engine, timeout_seconds=0.3)

    with ThreadPoolExecutor(2) as threads:
        first, second = write_in_one_group(writer, tmp_path, threads, {"first": lambda: may_continue.wait(10)})
        error = second.exception(10)
        may_continue.set()

    assert isinstance(error, DatabaseUnavailable)
    assert first.result() == "first"
    assert stored_names(engine) == ["first"]


def test_reader_does_not_wait_for_a_writer(engine: Engine, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "names.db", timeout=0, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")

        assert stored_names(engine.execution_options(sqlite_begin="BEGIN")) == []


def test_write_on_disk_is_answered_while_its_leader_writes_again(engine: Engine) -> None:
    writer = Writer(engine)
    is_answered = threading.Event()

    def write_twice() -> bool:
        writer.write(partial(insert, "first"))
        return writer.write(lambda _: is_answered.wait(2))

    with slow_write(writer) as threads:
        leader = threads.submit(write_twice)
        wait_for_pending(writer, 1)
        second = threads.submit(writer.write, partial(insert, "second"))
        wait_for_pending(writer, 2)
        second.add_done_callback(lambda _: is_answered.set())

    assert leader.result()
    assert stored_names(engine) == ["first", "second", "slow"]


def test_writes_outlast_a_leader_whose_time_ends_at_the_database(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine)
    with (
        closing(sqlite3.connect(tmp_path / "names.db", isolation_level=None)) as backup,
        ThreadPoolExecutor(2) as threads,
    ):
        backup.execute("BEGIN IMMEDIATE")
        with another_process_writing(tmp_path):
            leader = threads.submit(write_within, 0.3, writer, "leader")
            wait_for_leader(writer)
            follower = threads.submit(write_within, 20, writer, "follower")
            wait_for_pending(writer, 1)
        error = leader.exception(10)
        backup.execute("COMMIT")

        assert isinstance(error, OperationalError)
        assert follower.result(10) == "follower"
    assert stored_names(engine) == ["follower"]


def test_interrupted_leader_fails_its_group_and_ends(engine: Engine, tmp_path: Path) -> None:
    writer = Writer(engine)

    def interrupt(_: Connection) -> None:
        raise KeyboardInterrupt  # as Ctrl-C does on the main thread

    with ThreadPoolExecutor(2) as threads:
        with another_process_writing(tmp_path):
            leader = threads.submit(writer.write, interrupt)
            wait_for_leader(writer)
            follower = threads.submit(writer.write, partial(insert, "follower"))
            wait_for_pending(writer, 1)
        errors = [leader.exception(10), follower.exception(10)]

    assert isinstance(errors[0], KeyboardInterrupt)
    assert isinstance(errors[1], DatabaseUnavailable)
    assert errors[1].code == "Interrupted"
    assert writer.write(partial(insert, "next")) == "next"
    assert stored_names(engine) == ["next"]
