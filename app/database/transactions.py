"""Transactions: retried after a conflict, and logged only once they are on disk."""

import sqlite3
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

from flask import current_app
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.backoff import backoff_seconds
from app.database.engine import Database
from app.errors import DatabaseUnavailable

P = ParamSpec("P")
T = TypeVar("T")

MAX_ATTEMPTS = 4
# A serialization failure, a deadlock, or a row that another transaction inserted or deleted meanwhile: the retry sees
# that row. https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
RETRYABLE_CODES = {"40001", "40P01", "23503", "23505", "SQLITE_CONSTRAINT_UNIQUE"}
# PostgreSQL reports a missing table or column as a ProgrammingError, SQLite as an OperationalError.
MISSING_SCHEMA_CODES = {"42P01", "42703"}

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
            # Set here, not in `run`: on SQLite the writer thread runs this, in a copy of the caller's context.
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


def query(work: Callable[Concatenate[Session, P], T]) -> Callable[P, T]:
    """Make a function a transaction that only reads; it is retried and raises as `transaction` does."""

    @wraps(work)
    def read(*args: P.args, **kwargs: P.kwargs) -> T:
        def attempt() -> T:
            with Session(current_database().read_engine, expire_on_commit=False) as session, session.begin():
                return work(session, *args, **kwargs)

        return _run_with_retries(attempt)

    return read


def write(work: Callable[[Connection], T]) -> T:
    """Run the work in a transaction, without retries, and return its result once the transaction is on disk."""
    database = current_database()
    if database.sqlite_writer:
        return database.sqlite_writer.write(work)
    with database.write_engine.begin() as connection:
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
            is_retryable = error.connection_invalidated or _sqlstate(error) in RETRYABLE_CODES
            if number == MAX_ATTEMPTS or not is_retryable:
                raise _translate_error(error) from error
        time.sleep(backoff_seconds(number, 0.05, 1))
    raise AssertionError("the last attempt returns or raises")


def _translate_error(error: DBAPIError) -> Exception:
    sqlstate = _sqlstate(error)
    # A statement that timed out and a corrupt SQLite file, which is a plain DatabaseError, count as unavailable.
    is_unavailable = (
        isinstance(error, OperationalError | InterfaceError | InternalError)
        or type(error.orig) is sqlite3.DatabaseError
        or sqlstate in MISSING_SCHEMA_CODES
    )
    return DatabaseUnavailable(f"{type(error.orig).__name__} {sqlstate}".rstrip()) if is_unavailable else error


def _sqlstate(error: DBAPIError) -> str:
    # PostgreSQL's SQLSTATE, or SQLite's name of the error.
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or ""
