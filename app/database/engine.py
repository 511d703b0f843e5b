"""The connection pool of one process, for SQLite or PostgreSQL."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app
from sqlalchemy import Connection, Engine, create_engine

from app.config.settings import Settings
from app.database import sqlite

T = TypeVar("T")

# A few connections serve many threads, because no transaction waits for AWS. PostgreSQL's default of 100 connections
# then serves several processes.
POOL_SIZE = 16
# A hanging database must not block the buyer, nor the thread that serves the request.
POSTGRESQL_TIMEOUTS = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "options": "-c statement_timeout=5000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000",
}


class Database:
    """One connection pool with two engines: one for transactions that only read, one for those that write."""

    def __init__(self, settings: Settings) -> None:
        url = settings.sqlalchemy_url
        self.read_engine: Engine = create_engine(
            url,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=sqlite.LOCK_TIMEOUT_SECONDS,
            connect_args={} if url.get_backend_name() == "sqlite" else POSTGRESQL_TIMEOUTS,
            # Otherwise the error of a failed statement carries a buyer's answers into the log.
            hide_parameters=True,
        )
        self.write_engine: Engine = self.read_engine.execution_options(**sqlite.IMMEDIATE_TRANSACTION)
        self._writer_thread: sqlite.WriterThread | None = None
        if url.get_backend_name() == "sqlite":
            sqlite.configure_engine(self.read_engine)
            self._writer_thread = sqlite.WriterThread(self.write_engine)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run the work in a transaction, and return its result once the transaction is on disk."""
        if self._writer_thread:
            return self._writer_thread.write(work)
        with self.write_engine.begin() as connection:
            return work(connection)

    @property
    def engines(self) -> dict[str, Engine]:
        """The engines by name, as Flask-Alembic expects them."""
        return {"default": self.write_engine}


def init_app(app: Flask, settings: Settings) -> None:
    """Create the application's database. It connects at its first use."""
    app.extensions["sqlalchemy"] = Database(settings)


def current_database() -> Database:
    """Return the running application's database."""
    database: Database = current_app.extensions["sqlalchemy"]
    return database
