"""The connection pool of one process, for SQLite or PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from sqlalchemy import Engine, create_engine

from app import deadline
from app.config import database_login
from app.config.settings import Settings
from app.database import clock, faults, sqlite
from app.database.sqlite_writer import Writer
from app.database.throttle import Throttle
from app.errors import DatabaseUnavailable

# A few connections serve many threads, because no transaction waits for AWS. PostgreSQL's default of 100 connections
# then serves several processes.
CONNECTIONS = 16
# Whatever a connection leads to that is no longer what it was (a demoted primary, a moved file) is left within this.
MAX_CONNECTION_AGE_SECONDS = 600


@dataclass(frozen=True)
class Database:
    """One connection pool with two engines: one for transactions that only read, one for those that write."""

    read_engine: Engine
    write_engine: Engine
    sqlite_writer: Writer | None
    free_connections: threading.Semaphore
    # Of the writes by which readiness is tried.
    write_checks: Throttle
    # By name, as Flask-Alembic expects them.
    engines: dict[str, Engine]

    @contextmanager
    def keep_connection_free(self) -> Iterator[None]:
        """Wait until the pool has a connection for this thread, and keep it for the `with` block.

        Raises:
            DatabaseUnavailable: none became free by the deadline.
        """
        # The pool would wait for a time of its own, whatever is left of the request's.
        if not self.free_connections.acquire(timeout=deadline.seconds_left()):
            raise DatabaseUnavailable("NoFreeConnection")
        try:
            yield
        finally:
            self.free_connections.release()


def init_app(app: Flask, settings: Settings, new_token: Callable[[], str] | None = None) -> None:
    """Create the application's database. It connects at its first use.

    `new_token` makes the password of each connection where DATABASE_IAM_AUTH is set.
    """
    url = settings.sqlalchemy_url
    is_sqlite = url.get_backend_name() == "sqlite"
    database_clock = clock.init_app(app)
    connect_args: dict[str, Any] = {}
    configure_engine = sqlite.configure_engine
    if not is_sqlite:
        from app.database import postgresql  # noqa: PLC0415  # slow to import

        connect_args = postgresql.connect_args(url.query)
        new_password = new_token or database_login.password_reader(settings.database_password)
        configure_engine = partial(postgresql.configure_engine, clock=database_clock, new_password=new_password)
    engine = create_engine(
        url.difference_update_query(["prepare_threshold"]),
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=deadline.REQUEST_SECONDS,
        pool_recycle=MAX_CONNECTION_AGE_SECONDS,
        connect_args=connect_args,
        # Otherwise the error of a failed statement carries a buyer's answers into the log.
        hide_parameters=True,
    )
    configure_engine(engine)
    faults.drop_useless_connections(engine)
    write_engine = engine.execution_options(**sqlite.IMMEDIATE_TRANSACTION)
    writer = Writer(write_engine) if is_sqlite else None
    app.extensions["sqlalchemy"] = Database(
        engine, write_engine, writer, threading.Semaphore(CONNECTIONS), Throttle(), {"default": write_engine}
    )
