"""SQLite's files: made by a migration alone, for their owner alone, and still those that open connections have."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

from app.config.settings import SettingsError
from app.database import faults

# The file, its write-ahead log and the log's index, to which SQLite gives the file's mode, and the writers' lock.
FILE_SUFFIXES = ("", "-wal", "-shm", "-writer")
PRIVATE_MODE = 0o600

Identity = tuple[int, int]


class FileMissing(sqlite3.OperationalError):
    """The database's file does not exist."""

    sqlite_errorname = faults.FILE_MISSING_CODE


class FileTakenAway(sqlite3.OperationalError):
    """The database's file was deleted or moved while this process had it open."""

    sqlite_errorname = faults.FILE_MOVED_CODE  # SQLite looks for itself, but only before some writes


def configure_engine(engine: Engine) -> None:
    """Let the engine open no file but one that exists, and notice that another stands in its place or none does.

    SQLite goes on with the file that it has open: what is stored there is lost. Where there is none, it would create an
    empty one: of a command whose settings lead astray, or in the way of the file that an operator is about to put back.
    """
    path = str(engine.url.database)
    known: set[Identity] = set()

    def require(_dialect: object, _record: object, _arguments: object, _options: object) -> None:
        if _is_missing(path):
            raise FileTakenAway(f"{path} was deleted or moved") if known else FileMissing(f"{path} does not exist")

    def remember(_connection: object, record: Any) -> None:
        if identity := find_identity(path):
            record.info["file"] = identity
            known.add(identity)

    def compare(_connection: object, record: Any, _proxy: object) -> None:
        if record.info.get("file") != find_identity(path):
            raise DisconnectionError("another file stands in the place of the database")

    event.listen(engine, "do_connect", require)
    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", compare)


def create(path: str) -> None:
    """Create the empty file, private, and its folder, where there is none; SettingsError where that is impossible."""
    file = Path(locate(path))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # SQLite would create it with the mode that the umask leaves, often readable for everybody. Never open an
        # existing file: to close it would drop the locks that other connections of this process have on it.
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_MODE))
    except OSError as error:
        raise SettingsError(f"DATABASE_URL: {file} cannot be created: {error.strerror}.") from None


def locate(path: str) -> str:
    """Return the path beside which SQLite keeps its other files: where the file is a link, that of the file itself."""
    return os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114  Path raises some errors


def find_identity(path: str) -> Identity | None:
    """Return what a file keeps for as long as it exists, also under another name; None where no file can be reached."""
    try:
        status = os.stat(path)  # noqa: PTH116  # at each transaction: a Path costs more than the call
    except OSError:
        return None
    return status.st_dev, status.st_ino


def find_shared_files(engine: Engine) -> list[Path]:
    """Return those of the database's files that other users of this machine may read or write."""
    file = locate(str(engine.url.database))
    paths = [Path(f"{file}{suffix}") for suffix in FILE_SUFFIXES]
    return [path for path in paths if path.exists() and path.stat().st_mode & ~PRIVATE_MODE & 0o777]


def give_to_owner(lock: int, database: Path) -> None:
    """Let the database's owner open the lock file, too, which a command made that ran as root."""
    if os.geteuid() == 0 and database.exists():
        owner = database.stat()
        os.fchown(lock, owner.st_uid, owner.st_gid)


def _is_missing(path: str) -> bool:
    try:
        Path(path).stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError)  # SQLite reports others
    return False
