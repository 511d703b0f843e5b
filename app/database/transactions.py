"""Transactions: retried after a conflict, and logged only once they are on disk."""

import sqlite3
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.backoff import backoff_seconds
from app.database.engine import current_database
from app.errors import DatabaseUnavailable

P = ParamSpec("P")
T = TypeVar("T")

MAX_ATTEMPTS = 4
FIRST_BACKOFF_SECONDS = 0.05
MAX_BACKOFF_SECONDS = 1
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
    def write(*args: P.args, **kwargs: P.kwargs) -> T:
        actions: list[Callable[[], object]] = []

        def attempt(connection: Connection) -> T:
            actions.clear()
            # Set here, not in `write`: on SQLite the writer thread runs this, in a copy of the caller's context.
            token = _actions_after_commit.set(actions)
            try:
                return work(connection, *args, **kwargs)
            finally:
                _actions_after_commit.reset(token)

        result = _run_with_retries(lambda: current_database().write(attempt))
        for action in actions:
            action()
        return result

    return write


def after_commit(action: Callable[..., object], *args: object, **kwargs: object) -> None:
    """Call the action once the running transaction is on disk; never if it is rolled back.

    It is for log lines: a retried transaction would log twice, and a failed one would log what did not happen.
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


def _run_with_retries(attempt: Callable[[], T]) -> T:
    for number in range(1, MAX_ATTEMPTS + 1):
        try:
            return attempt()
        except (DBAPIError, PoolTimeout) as error:
            if number == MAX_ATTEMPTS or not _is_retryable(error):
                raise _translate_error(error) from error
        time.sleep(backoff_seconds(number, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS))
    raise AssertionError("the last attempt returns or raises")


def _is_retryable(error: DBAPIError | PoolTimeout) -> bool:
    if isinstance(error, PoolTimeout):
        return False
    return error.connection_invalidated or _sqlstate(error.orig) in RETRYABLE_CODES


def _translate_error(error: DBAPIError | PoolTimeout) -> Exception:
    # A statement that timed out and a corrupt SQLite file count as an unavailable database.
    if isinstance(error, OperationalError | InterfaceError | InternalError | PoolTimeout) or _is_corrupt(error):
        return DatabaseUnavailable(_error_code(error))
    if _sqlstate(error.orig) in MISSING_SCHEMA_CODES:
        return DatabaseUnavailable(_error_code(error))
    return error


def _is_corrupt(error: DBAPIError) -> bool:
    return type(error.orig) is sqlite3.DatabaseError


def _error_code(error: DBAPIError | PoolTimeout) -> str:
    cause = getattr(error, "orig", error)
    return " ".join(filter(None, (type(cause).__name__, _sqlstate(cause))))


def _sqlstate(cause: BaseException | None) -> str:
    # PostgreSQL's SQLSTATE, or SQLite's name of the error.
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or ""
