"""The engine of one process and the transactions that run on it."""

import random
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import structlog
from flask import Flask, current_app
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.errors import DatabaseUnavailable
from app.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.05
SERIALIZATION_FAILURES = {"40001", "40P01"}
SQLITE_PRAGMAS = ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")


class Database:
    """Two views of one connection pool: transactions that only read, and transactions that write."""

    def __init__(self, settings: Settings, connections: int) -> None:
        options: dict[str, Any] = {"pool_size": connections, "max_overflow": 0, "pool_timeout": 5}
        # A failed statement must not carry a buyer's answers into the log.
        self.reading: Engine = create_engine(settings.sqlalchemy_url, hide_parameters=True, **options)
        if self.reading.dialect.name == "sqlite":
            _make_folder(self.reading)
            event.listen(self.reading, "connect", _set_pragmas)
            event.listen(self.reading, "begin", _begin)
        self.writing: Engine = self.reading.execution_options(sqlite_begin="BEGIN IMMEDIATE")

    @property
    def engines(self) -> dict[str, Engine]:
        """The engines by name, as Flask-Alembic looks for them."""
        return {"default": self.writing}


def init_app(app: Flask, settings: Settings) -> None:
    """Keep the database on the application; no connection is opened before it is used."""
    app.extensions["sqlalchemy"] = Database(settings, app.config["THREADS"])


def current() -> Database:
    """Return the running application's database."""
    database: Database = current_app.extensions["sqlalchemy"]
    return database


def transaction(work: Callable[Concatenate[Session, P], T]) -> Callable[P, T]:
    """Make a function that writes one transaction: committed when it returns, rolled back when it raises.

    A transaction that the database could not serialize, or that met a connection which had died, runs again.
    What it raises when the database cannot be used is DatabaseUnavailable.
    """
    return _run(work, lambda: current().writing)


def query(work: Callable[Concatenate[Session, P], T]) -> Callable[P, T]:
    """Make a function that only reads one transaction, under the same rules as `transaction`."""
    return _run(work, lambda: current().reading)


def _run(work: Callable[Concatenate[Session, P], T], engine: Callable[[], Engine]) -> Callable[P, T]:
    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with Session(engine(), expire_on_commit=False) as session, session.begin():
                    return work(session, *args, **kwargs)
            except (DBAPIError, PoolTimeout) as error:
                if attempt == ATTEMPTS or not _is_passing(error):
                    raise _named(error) from error
            time.sleep(random.uniform(0, FIRST_PAUSE_SECONDS * 2**attempt))  # noqa: S311  # spreads out the losers
        raise AssertionError("unreachable")

    return run


def _is_passing(error: DBAPIError | PoolTimeout) -> bool:
    if isinstance(error, PoolTimeout):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in SERIALIZATION_FAILURES


def _named(error: DBAPIError | PoolTimeout) -> Exception:
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout):
        return DatabaseUnavailable(type(error).__name__)
    return error


def _make_folder(engine: Engine) -> None:
    if engine.url.database and engine.url.database != ":memory:":
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)


def _set_pragmas(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, too late and never IMMEDIATE.
    connection.isolation_level = None
    for pragma in SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A reader that turns writer half-way fails at once when another writes: writers take their lock first.
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def upsert(
    session: Session, model: type[Any], natural_key: str, values: dict[str, Any], changes: dict[str, Any]
) -> UUID:
    """Insert a row or, where the natural key is taken, make the changes to that one; return the row's id."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(model).values(values).on_conflict_do_update(index_elements=[natural_key], set_=changes)
    row_id: UUID = session.execute(statement.returning(model.id)).scalar_one()
    return row_id
