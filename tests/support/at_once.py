"""Runs works of one application at the same moment, each in a thread with a connection of its own."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import Executable, text

from app.database import transactions

COUNT_DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
COUNT_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def run_at_once(app: Flask, *works: Callable[[], object]) -> None:
    """Run each in a thread, and raise what one of them raises."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        with app.app_context():
            start.wait(10)
            work()

    with ThreadPoolExecutor(len(works)) as threads:
        for done in [threads.submit(run, work) for work in works]:
            done.result()


def count_deadlocks() -> int:
    """Return how many deadlocks PostgreSQL has ended in this database."""
    with transactions.current_database().read_engine.connect() as connection:
        return int(connection.execute(COUNT_DEADLOCKS).scalar_one())


def run_into(app: Flask, blocker: Executable, *works: Callable[[], object]) -> None:
    """Run each in a thread while the blocker's lock is held, and release that once all wait for a lock.

    So each has locked what it locks before the blocker's row. Raise what one of them raises.
    """
    with (
        transactions.current_database().write_engine.connect() as connection,
        ThreadPoolExecutor(len(works)) as threads,
    ):
        connection.execute(blocker)
        running = [threads.submit(run_at_once, app, work) for work in works]
        deadline = time.monotonic() + 20
        while count_waiting() < len(works) and time.monotonic() < deadline:
            # One that is done already has not met the blocker.
            assert not any(one.done() for one in running)
        connection.rollback()
        for one in running:
            one.result()


def count_waiting() -> int:
    """Return how many connections to this database wait for a lock."""
    # In a transaction of its own: the view does not change within one.
    with transactions.current_database().read_engine.connect() as connection:
        return int(connection.execute(COUNT_WAITING).scalar_one())
