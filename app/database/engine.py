"""The connection pool of one process."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app
from sqlalchemy import Connection, Engine, create_engine

from app.config.settings import Settings
from app.database import sqlite

T = TypeVar("T")

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
