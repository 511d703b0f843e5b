"""SQLite's files: readable for their owner alone, and still the ones that the open connections have."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

from app.database import faults

# The file, its write-ahead log and the log's index, to which SQLite gives the file's mode, and the writers' lock.
FILE_SUFFIXES = ("", "-wal", "-shm", "-writer")
PRIVATE_MODE = 0o600

Identity = tuple[int, int]


class FileTakenAway(sqlite3.OperationalError):
    """The database's file was deleted or moved while this process had it open."""

    sqlite_errorname = faults.FILE_MOVED_CODE  # SQLite looks for itself, but only before some writes


def configure_engine(engine: Engine) -> None:
    """Let the engine create its file, and notice that another stands in its place or none does.

    SQLite goes on with the file that it has open: what is stored there is lost.
    """
    path = str(engine.url.database)
    known: set[Identity] = set()

    def create(_dialect: object, _record: object, _arguments: object, _options: object) -> None:
        if known and find_identity(path) is None:
            # SQLite would create an empty one, in the way of the file that an operator is about to put back.
            raise FileTakenAway(f"{path} was deleted or moved")
        _create_private_file(path)

    def remember(_connection: object, record: Any) -> None:
        if identity := find_identity(path):
            record.info["file"] = identity
            known.add(identity)

    def compare(_connection: object, record: Any, _proxy: object) -> None:
        if record.info.get("file") != find_identity(path):
            raise DisconnectionError("another file stands in the place of the database")

    event.listen(engine, "do_connect", create)
    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", compare)


def find_identity(path: str) -> Identity | None:
    """Return what a file keeps for as long as it exists, also under another name; None where there is no file."""
    try:
        status = os.stat(path)  # noqa: PTH116  # at each transaction: a Path costs more than the call
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def find_shared_files(engine: Engine) -> list[Path]:
    """Return those of the database's files that other users of this machine may read or write."""
    paths = [Path(f"{engine.url.database}{suffix}") for suffix in FILE_SUFFIXES]
    return [path for path in paths if path.exists() and path.stat().st_mode & ~PRIVATE_MODE & 0o777]


def give_to_owner(lock: int, database: Path) -> None:
    """Let the database's owner open the lock file, too, which a command made that ran as root."""
    if os.geteuid() == 0 and database.exists():
        owner = database.stat()
        os.fchown(lock, owner.st_uid, owner.st_gid)


def _create_private_file(path: str) -> None:
    # SQLite would create it with the mode that the umask leaves, often readable for everybody. Never open an existing
    # file: to close it would drop the locks that other connections of this process have on it.
    with suppress(OSError):  # SQLite reports it
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_MODE))
