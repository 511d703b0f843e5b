"""Readiness: whether the database can be reached, has this version's tables, and takes a write."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, bindparam, inspect, select, text, update

from app.database import clock, disk_space, faults
from app.database.transactions import current_database, query, transaction
from app.errors import DatabaseUnavailable
from app.models import Heartbeat, UtcDateTime

MIGRATIONS = Path(__file__).parents[2] / "migrations"
UPGRADE_HINT = "Run: foyer db upgrade"
DATABASE_UNREACHABLE = "The database cannot be reached. Check DATABASE_URL and that the database is running."
NO_CREDENTIALS = (
    "There are no AWS credentials to log in to the database with, as DATABASE_IAM_AUTH asks ({code}). Give this "
    "machine or container a role, and look at the doctor's line on credentials."
)
READ_ONLY = (
    "The database takes no writes. Check that DATABASE_URL leads to the primary and not to a standby, and that neither "
    "the database nor its disk or file is read-only."
)
FILE_MISSING = "The file of the database does not exist: check DATABASE_URL, or create it with `foyer db upgrade`."
FILE_TAKEN_AWAY = (
    "The file of the database was deleted or moved while Foyer runs: nothing can be stored. Put it back, with its -wal "
    "file, or restore a backup."
)
FILE_ADVICE = {faults.FILE_MISSING_CODE: FILE_MISSING, faults.FILE_MOVED_CODE: FILE_TAKEN_AWAY}
DISK_FULL = "The database's disk is full: nothing new can be stored. Free some space, or enlarge the disk."
NO_WRITE = "The database can be read, but a write failed ({code}). To see why, run: foyer doctor"
# One row, changed in place: it makes the database no larger. Another process that changes it is not waited for.
WRITTEN_ROW = "readiness"
UPDATE_ROW = (
    update(Heartbeat)
    .where(
        Heartbeat.chore.in_(
            select(Heartbeat.chore).where(Heartbeat.chore == WRITTEN_ROW).with_for_update(skip_locked=True)
        )
    )
    .values(at=bindparam("now"))
)
INSERT_ROW = text(
    "INSERT INTO heartbeats (chore, at) SELECT :chore, :now"
    " WHERE NOT EXISTS (SELECT 1 FROM heartbeats WHERE chore = :chore) ON CONFLICT (chore) DO NOTHING"
).bindparams(bindparam("now", type_=UtcDateTime), chore=WRITTEN_ROW)


@dataclass(frozen=True)
class Problem:
    """Why this process cannot serve.

    `advice` says what to do about it. `words` are the database's own; they may name hosts and users: for the operator.
    """

    advice: str
    words: str = ""

    def __str__(self) -> str:
        return f"{self.advice} The database says: {self.words}" if self.words else self.advice


def find_problem() -> Problem | None:
    """Return why this process cannot serve; None where it can. A write is tried once a second at most, on average."""
    return find_schema_problem() or current_database().write_checks.run(find_write_problem)


def find_schema_problem() -> Problem | None:
    """Return why the database cannot be read by this version; None where it can."""
    try:
        revision = _stored_revision()
    except DatabaseUnavailable as error:
        return Problem(_reading_advice(error.code), faults.words_of(error.__cause__))
    if revision is None:
        return Problem(f"The database has no tables yet. {UPGRADE_HINT}")
    # Newer tables are fine: while an update rolls out, the processes of the version before it go on serving.
    if revision < newest_revision():
        problem = f"The database is at revision {revision}, this version needs {newest_revision()}."
        return Problem(f"{problem} {UPGRADE_HINT}")
    return None


def find_write_problem() -> Problem | None:
    """Write to the database now, and return why that failed; None where it did not."""
    try:
        _write()
        disk_space.check()
    except DatabaseUnavailable as error:
        return Problem(_write_advice(error.code), faults.words_of(error.__cause__))
    return None


def newest_revision() -> str:
    """Return the revision that this version's code needs, from the names of the migrations' files."""
    return max(path.name.partition("_")[0] for path in MIGRATIONS.glob("[0-9]*.py"))


def later_revision() -> str | None:
    """Return the database's revision if a later version of Foyer made it; None if this version has it."""
    revision = _stored_revision()
    return revision if revision is not None and revision > newest_revision() else None


def _reading_advice(code: str) -> str:
    first_word, _, last_words = code.partition(" ")
    if first_word == faults.NO_CREDENTIALS:
        return NO_CREDENTIALS.format(code=last_words)
    return FILE_ADVICE.get(code.rpartition(" ")[2], DATABASE_UNREACHABLE)


def _write_advice(code: str) -> str:
    last_word = code.rpartition(" ")[2]
    if last_word in FILE_ADVICE:
        return FILE_ADVICE[last_word]
    if last_word.startswith(faults.READ_ONLY_CODES):
        return READ_ONLY
    return DISK_FULL if last_word.startswith(faults.DISK_FULL_CODES) else NO_WRITE.format(code=code)


@transaction
def _write(connection: Connection) -> None:
    now = clock.now()
    if not connection.execute(UPDATE_ROW, {"now": now}).rowcount:
        connection.execute(INSERT_ROW, {"now": now})


@query
def _stored_revision(connection: Connection) -> str | None:
    has_table = inspect(connection).has_table("alembic_version")
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version")) if has_table else None
    return revision
