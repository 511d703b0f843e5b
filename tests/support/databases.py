"""Choice of database: a test runs on SQLite and PostgreSQL unless it is marked for one of them."""

import pytest
from sqlalchemy import text

from app.database import transactions

SQLITE, POSTGRESQL = "sqlite", "postgresql"

on_sqlite = pytest.mark.parametrize("database_url", [SQLITE], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", [POSTGRESQL], indirect=True)


def has_waiting_transaction() -> bool:
    """Return whether a transaction of this PostgreSQL database waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with transactions.current_database().read_engine.connect() as connection:
        return bool(connection.execute(text(waiting)).scalar_one())
