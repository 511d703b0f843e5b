"""Readiness: whether the database can be reached and has this version's tables."""

from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from app.database.transactions import query
from app.errors import DatabaseUnavailable

MIGRATIONS = Path(__file__).parents[2] / "migrations"
UPGRADE_HINT = "Run: flask --app wsgi db upgrade"
DATABASE_UNREACHABLE = "The database cannot be reached. Check DATABASE_URL and that the database is running."


def find_problem() -> str | None:
    """Return why this process cannot serve and what to do about it; None where it can."""
    try:
        revision = _stored_revision()
    except DatabaseUnavailable:
        return DATABASE_UNREACHABLE
    if revision is None:
        return f"The database has no tables yet. {UPGRADE_HINT}"
    # Newer tables are fine: while an update rolls out, the processes of the version before it go on serving.
    if revision < newest_revision():
        return f"The database is at revision {revision}, this version needs {newest_revision()}. {UPGRADE_HINT}"
    return None


def newest_revision() -> str:
    """Return the revision that this version's code needs, from the names of the migrations' files."""
    return max(path.name.partition("_")[0] for path in MIGRATIONS.glob("[0-9]*.py"))


@query
def _stored_revision(session: Session) -> str | None:
    has_table = inspect(session.connection()).has_table("alembic_version")
    revision: str | None = session.scalar(text("SELECT version_num FROM alembic_version")) if has_table else None
    return revision
