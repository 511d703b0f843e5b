"""Transactions: retried after a conflict, and logged only once they are on disk."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

from flask import current_app
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import deadline
from app.backoff import backoff_seconds
from app.database import faults
from app.database.engine import Database
from app.errors import DatabaseUnavailable

P = ParamSpec("P")
T = TypeVar("T")

# Ends before this side would close the connection: see deadline.BACKGROUND_SECONDS.
OPERATORS_TIMEOUT = text("SET LOCAL statement_timeout = '14s'")
MAX_ATTEMPTS = 4
# A new connection can help once; where it leads to the same fault, a third would only burden the server.
MAX_CONNECTIONS_TRIED = 2

_actions_after_commit: ContextVar[list[Callable[[], object]]] = ContextVar("actions_after_commit")


def transaction(work: Callable[Concatenate[Connection, P], T]) -> Callable[P, T]:
    """Make a function a transaction that writes: committed when it returns, rolled back when it raises.

    After a conflict, or on a dead connection, the function runs again from the start.

    Raises:
        DatabaseUnavailable: the database cannot be reached, or does not accept the transaction.
    """

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        actions: list[Callable[[], object]] = []

        def attempt(connection: Connection) -> T:
            actions.clear()
            # Set here, not in `run`: on SQLite another thread may run this, in a copy of the caller's context.
            token = _actions_after_commit.set(actions)
            try:
                return work(connection, *args, **kwargs)
            finally:
                _actions_after_commit.reset(token)

        result = _run_with_retries(lambda: write(attempt))
        for action in actions:
            action()
        return result

    return run


def after_commit(action: Callable[..., object], *args: object, **kwargs: object) -> None:
    """Call the action once the running transaction is on disk; never if it is rolled back.

    It is for log lines: otherwise a retried transaction logs twice, and a failed one logs what did not happen.
    """
    _actions_after_commit.get().append(partial(action, *args, **kwargs))


def query(work: Callable[Concatenate[Connection, P], T]) -> Callable[P, T]:
    """Make a function a transaction that only reads; it is retried and raises as `transaction` does."""

    @wraps(work)
    def read(*args: P.args, **kwargs: P.kwargs) -> T:
        def attempt() -> T:
            database = current_database()
            with database.keep_connection_free(), database.read_engine.begin() as connection:
                return work(connection, *args, **kwargs)

        return _run_with_retries(attempt)

    return read


def wait_for_operator(connection: Connection) -> None:
    """Let the statements of this transaction, which read whole tables, take 14 seconds: longer than a page may."""
    if connection.dialect.name == "postgresql":
        connection.execute(OPERATORS_TIMEOUT)


def write(work: Callable[[Connection], T]) -> T:
    """Run the work in a transaction, without retries, and return its result once the transaction is on disk."""
    database = current_database()
    if database.sqlite_writer:
        return database.sqlite_writer.write(work)
    with database.keep_connection_free(), database.write_engine.begin() as connection:
        return work(connection)


def current_database() -> Database:
    """Return the running application's database."""
    database: Database = current_app.extensions["sqlalchemy"]
    return database


def _run_with_retries(attempt: Callable[[], T]) -> T:
    for number in range(1, MAX_ATTEMPTS + 1):
        try:
            return attempt()
        except PoolTimeout as error:
            raise DatabaseUnavailable(type(error).__name__) from error
        except DBAPIError as error:
            pause = backoff_seconds(number, 0.05, 1)
            if not _may_retry(error, number) or pause >= deadline.seconds_left():
                raise faults.translate(error) from error
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _may_retry(error: DBAPIError, number: int) -> bool:
    if isinstance(error.orig, deadline.DeadlineError):
        return False
    if error.connection_invalidated:
        is_useless = faults.code_of(error).startswith(faults.USELESS_CONNECTION_CODES)
        return number < (MAX_CONNECTIONS_TRIED if is_useless else MAX_ATTEMPTS)
    return number < MAX_ATTEMPTS and faults.code_of(error) in faults.RETRYABLE_CODES
