"""The connection pool of one process, for SQLite or PostgreSQL."""

from dataclasses import dataclass

from flask import Flask
from sqlalchemy import Engine, create_engine

from app.config.settings import Settings
from app.database import sqlite

# A hanging database must not block the buyer, nor the thread that serves the request.
POSTGRESQL_TIMEOUTS = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "options": "-c statement_timeout=5000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000",
}


@dataclass(frozen=True)
class Database:
    """One connection pool with two engines: one for transactions that only read, one for those that write."""

    read_engine: Engine
    write_engine: Engine
    sqlite_writer: sqlite.WriterThread | None
    # By name, as Flask-Alembic expects them.
    engines: dict[str, Engine]


def init_app(app: Flask, settings: Settings) -> None:
    """Create the application's database. It connects at its first use."""
    url = settings.sqlalchemy_url
    is_sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(
        url,
        # A few connections serve many threads, because no transaction waits for AWS. PostgreSQL's default of 100
        # connections then serves several processes.
        pool_size=16,
        max_overflow=0,
        pool_timeout=sqlite.LOCK_TIMEOUT_SECONDS,
        connect_args={} if is_sqlite else POSTGRESQL_TIMEOUTS,
        # Otherwise the error of a failed statement carries a buyer's answers into the log.
        hide_parameters=True,
    )
    if is_sqlite:
        sqlite.configure_engine(engine)
    write_engine = engine.execution_options(**sqlite.IMMEDIATE_TRANSACTION)
    sqlite_writer = sqlite.WriterThread(write_engine) if is_sqlite else None
    app.extensions["sqlalchemy"] = Database(engine, write_engine, sqlite_writer, {"default": write_engine})
