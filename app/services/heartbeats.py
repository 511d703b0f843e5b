"""Heartbeats: when some worker last did each of its chores, for the metrics."""

from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, text

from app.database import transaction
from app.models import Instant

BEAT = text(
    "INSERT INTO heartbeats (chore, at) VALUES (:chore, :at) ON CONFLICT (chore) DO UPDATE SET at = excluded.at"
).bindparams(bindparam("at", type_=Instant))


@transaction
def beat(connection: Connection, chore: str) -> None:
    """Record that a worker is at this chore now."""
    connection.execute(BEAT, {"chore": chore, "at": datetime.now(UTC)})
