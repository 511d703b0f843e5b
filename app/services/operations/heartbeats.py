"""Heartbeats: when some worker last did each of its chores, for the metrics and the doctor."""

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy.orm import Session

from app.database.transactions import query, transaction
from app.models import Heartbeat, Instant

BEAT = text(
    "INSERT INTO heartbeats (chore, at) VALUES (:chore, :at) ON CONFLICT (chore) DO UPDATE SET at = excluded.at"
).bindparams(bindparam("at", type_=Instant))


@transaction
def beat(connection: Connection, chore: str) -> None:
    """Record that a worker is at this chore now."""
    connection.execute(BEAT, {"chore": chore, "at": datetime.now(UTC)})


@query
def silence_seconds(session: Session, chore: str) -> float:
    """Return for how long no worker has been at this chore; infinite where none ever was."""
    return silences(session, datetime.now(UTC))[chore]


def silences(session: Session, now: datetime) -> Mapping[str, float]:
    """Return for each chore for how many seconds no worker has been at it; infinite where none ever was."""
    ages = {beat.chore: max((now - beat.at).total_seconds(), 0) for beat in session.scalars(select(Heartbeat))}
    return defaultdict(lambda: math.inf, ages)
