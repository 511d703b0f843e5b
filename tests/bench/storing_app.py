"""The second reference: the bare view that also stores the purchase on disk, with Python's sqlite3 and no more.

What any integration needs that loses no buyer. It shows what the disk costs on this machine.
"""

import os
import sqlite3
import threading
from typing import Any

from tests.bench import baseline_app

DATABASE = os.environ["STORING_APP_DATABASE"]
CREATE_TABLE = (
    "CREATE TABLE IF NOT EXISTS purchases "
    "(license TEXT PRIMARY KEY, product TEXT, account TEXT, agreement TEXT, landed_at TEXT)"
)
UPSERT = (
    "INSERT INTO purchases VALUES (?, ?, ?, ?, datetime()) ON CONFLICT (license) DO UPDATE SET "
    "product = excluded.product, account = excluded.account, agreement = excluded.agreement"
)

_of_thread = threading.local()


def store(customer: Any) -> None:
    """Store the purchase, and return once it is on disk."""
    values = (
        *(customer["LicenseArn"], customer["ProductCode"], customer["CustomerAWSAccountId"]),
        customer["Metadata"]["AgreementId"],
    )
    connection = _connect()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(UPSERT, values)
    connection.execute("COMMIT")


def _connect() -> sqlite3.Connection:
    connection: sqlite3.Connection | None = getattr(_of_thread, "connection", None)
    if connection is None:
        connection = _of_thread.connection = _open()
    return connection


def _open() -> sqlite3.Connection:
    connection = sqlite3.connect(DATABASE, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(CREATE_TABLE)
    return connection


# Two processes that both turn on write-ahead logging at their first landing would fail. Closed again: SQLite's
# connections are not to be used across a fork.
_open().close()
app = baseline_app.create_app(store)
