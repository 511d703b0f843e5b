"""A SQLite file with one table of unique names, and what stands in its writer's way."""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, text

from app.database import sqlite, sqlite_files
from app.database.sqlite_writer import Writer


@contextmanager
def open_engine(folder: Path) -> Iterator[Engine]:
    """Yield an engine on a new file in the folder, with one table of unique names."""
    engine = create_engine(f"sqlite:///{folder / 'names.db'}")
    sqlite.configure_engine(engine)
    sqlite_files.create(str(engine.url.database))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE names (name TEXT UNIQUE)"))
    yield engine.execution_options(**sqlite.IMMEDIATE_TRANSACTION)
    engine.dispose()


def stored_names(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT name FROM names ORDER BY name")).scalars())


def insert(name: str, connection: Connection) -> str:
    connection.execute(text("INSERT INTO names VALUES (:name)"), {"name": name})
    return name


def wait_for_leader(writer: Writer) -> None:
    """Wait until a write waits for the lock file."""
    while writer._blocked_by != "WriterLock":
        threading.Event().wait(0.001)


def wait_for_pending(writer: Writer, count: int) -> None:
    """Wait until that many writes wait behind the one that leads."""
    while len(writer._waiting) < count:
        threading.Event().wait(0.001)


@contextmanager
def another_process_writing(folder: Path) -> Iterator[None]:
    with (folder / "names.db-writer").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
