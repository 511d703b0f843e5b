"""SQLite: durable connections, and write transactions that lock at once."""

from typing import Any

from sqlalchemy import Connection, Engine, event

from app import deadline
from app.database import sqlite_files

LOCK_TIMEOUT_SECONDS = 5
PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # Deleted bytes are overwritten with zeros. FAST would leave long notes in the file.
    "secure_delete = ON",
)
IMMEDIATE_TRANSACTION = {"sqlite_begin": "BEGIN IMMEDIATE"}


def configure_engine(engine: Engine) -> None:
    """Set up every connection of the engine."""
    sqlite_files.configure_engine(engine)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin_transaction)


def _set_pragmas(connection: Any, _record: object) -> None:
    # Otherwise the driver begins transactions by itself: too late, and never IMMEDIATE.
    connection.isolation_level = None
    _set_busy_timeout(connection)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _set_busy_timeout(connection: Any) -> None:
    seconds = min(deadline.seconds_left(), LOCK_TIMEOUT_SECONDS)
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


def _begin_transaction(connection: Connection) -> None:
    _set_busy_timeout(connection.connection.driver_connection)
    # A transaction that reads first and writes later fails at once while another one writes: writers lock first.
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
