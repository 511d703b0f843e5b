"""The engine of one process and the transactions that run on it."""

import random
import sqlite3
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from flask import Flask, current_app
from sqlalchemy import Connection, Engine, TextualSelect, bindparam, create_engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session

from app.config.settings import Settings
from app.database import sqlite
from app.errors import DatabaseUnavailable

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

MAX_ATTEMPTS = 4
FIRST_BACKOFF_SECONDS = 0.05
# Could not be serialized, was in a deadlock, or met what another transaction had inserted or deleted: the next try
# finds it. https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
RETRYABLE_CODES = {"40001", "40P01", "23503", "23505", "SQLITE_CONSTRAINT_UNIQUE"}
# PostgreSQL counts a table or column that is not there among the faults of the program; SQLite does not.
MISSING_SCHEMA_CODES = {"42P01", "42703"}
# No transaction waits for AWS, so that a few connections serve many threads, and PostgreSQL's usual 100 serve
# several processes.
POOL_SIZE = 16
# A database that hangs must not hold the buyer, nor the thread that serves them.
POSTGRESQL_TIMEOUTS = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "options": "-c statement_timeout=5000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000",
}


class Database:
    """Two views of one connection pool: transactions that only read, and transactions that write."""

    def __init__(self, settings: Settings) -> None:
        url = settings.sqlalchemy_url
        self.read_engine: Engine = create_engine(
            url,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=sqlite.LOCK_TIMEOUT_SECONDS,
            connect_args={} if url.get_backend_name() == "sqlite" else POSTGRESQL_TIMEOUTS,
            # A failed statement must not carry a buyer's answers into the log.
            hide_parameters=True,
        )
        self.write_engine: Engine = self.read_engine.execution_options(**sqlite.IMMEDIATE_TRANSACTION)
        self._group_committer: sqlite.GroupCommitter | None = None
        if url.get_backend_name() == "sqlite":
            sqlite.configure_engine(self.read_engine)
            self._group_committer = sqlite.GroupCommitter(self.write_engine)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what the work returns, once its transaction is on disk."""
        if self._group_committer:
            return self._group_committer.write(work)
        with self.write_engine.begin() as connection:
            return work(connection)

    @property
    def engines(self) -> dict[str, Engine]:
        """The engines by name, as Flask-Alembic looks for them."""
        return {"default": self.write_engine}


def init_app(app: Flask, settings: Settings) -> None:
    """Keep the database on the application; no connection is opened before it is used."""
    app.extensions["sqlalchemy"] = Database(settings)


def current_database() -> Database:
    """Return the running application's database."""
    database: Database = current_app.extensions["sqlalchemy"]
    return database


def transaction(work: Callable[Concatenate[Connection, P], T]) -> Callable[P, T]:
    """Make a function that writes one transaction: committed when it returns, rolled back when it raises.

    A transaction that lost to another, or that met a connection which had died, runs again.
    What it raises when the database cannot be used is DatabaseUnavailable.
    """

    @wraps(work)
    def write(*args: P.args, **kwargs: P.kwargs) -> T:
        return _run_with_retries(lambda: current_database().write(lambda connection: work(connection, *args, **kwargs)))

    return write


def query(work: Callable[Concatenate[Session, P], T]) -> Callable[P, T]:
    """Make a function that only reads one transaction, under the same rules as `transaction`."""

    @wraps(work)
    def read(*args: P.args, **kwargs: P.kwargs) -> T:
        def once() -> T:
            with Session(current_database().read_engine, expire_on_commit=False) as session, session.begin():
                return work(session, *args, **kwargs)

        return _run_with_retries(once)

    return read


def _run_with_retries(run: Callable[[], T]) -> T:
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return run()
        except (DBAPIError, PoolTimeout) as error:
            if attempt == MAX_ATTEMPTS or not _is_retryable(error):
                raise _translate_error(error) from error
        time.sleep(random.uniform(0, FIRST_BACKOFF_SECONDS * 2**attempt))  # noqa: S311  # spreads out the losers
    raise AssertionError("the last attempt returns or raises")


def _is_retryable(error: DBAPIError | PoolTimeout) -> bool:
    if isinstance(error, PoolTimeout):
        return False
    return error.connection_invalidated or _sqlstate(error.orig) in RETRYABLE_CODES


def _translate_error(error: DBAPIError | PoolTimeout) -> Exception:
    # A statement cancelled for its time and a corrupt SQLite file are faults of the database, not of ours.
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
    # PostgreSQL's SQLSTATE, or SQLite's own word.
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or ""


def upsert_statement(
    model: type[DeclarativeBase],
    natural_key: str,
    updates: Mapping[str, str],
    insert_values: Mapping[str, str] | None = None,
) -> TextualSelect:
    """Return the statement that inserts a row or, where the natural key is taken, changes that one.

    `changes` gives each column's new value in SQL, `values` what is inserted where it is not the parameter of the
    column's name; it answers the row's id. SQLite and PostgreSQL read the same
    text. As text it is made once: SQLAlchemy compiles its own kind of upsert anew at each execution, which
    costs more than all else that a landing does here.
    """
    columns = model.__table__.columns
    insert = text(
        f"INSERT INTO {model.__tablename__} ({', '.join(column.name for column in columns)})"  # noqa: S608  # names of our own
        f" VALUES ({', '.join((insert_values or {}).get(column.name, f':{column.name}') for column in columns)})"
        f" ON CONFLICT ({natural_key}) DO UPDATE SET {', '.join(f'{name} = {new}' for name, new in updates.items())}"
        " RETURNING id"
    )
    return insert.bindparams(*(bindparam(column.name, type_=column.type) for column in columns)).columns(columns.id)
