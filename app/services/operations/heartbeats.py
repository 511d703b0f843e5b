"""Heartbeats: when any worker last did each chore, for the metrics and the doctor; until which hour zeros are made."""

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, text

from app.database import clock
from app.database.transactions import query, transaction
from app.models import Heartbeat, UtcDateTime

UPSERT_HEARTBEAT = text(
    "INSERT INTO heartbeats (chore, at) VALUES (:chore, :at) ON CONFLICT (chore) DO UPDATE SET at = excluded.at"
).bindparams(bindparam("at", type_=UtcDateTime))
SELECT_HEARTBEATS = select(Heartbeat.chore, Heartbeat.at)
SELECT_HEARTBEAT = select(Heartbeat.at).where(Heartbeat.chore == bindparam("of_chore"))


@transaction
def record(connection: Connection, chore: str) -> None:
    """Record that a worker does this chore now."""
    record_at(connection, chore, clock.now())


def record_at(connection: Connection, chore: str, at: datetime) -> None:
    """Record until when a worker has done this chore."""
    connection.execute(UPSERT_HEARTBEAT, {"chore": chore, "at": at})


def find(connection: Connection, chore: str) -> datetime | None:
    """Return what was recorded of the chore last; None where nothing was."""
    at: datetime | None = connection.execute(SELECT_HEARTBEAT, {"of_chore": chore}).scalar_one_or_none()
    return at


@query
def age_seconds(connection: Connection, chore: str) -> float:
    """Return how many seconds ago a worker last did this chore; infinite where none ever did."""
    return ages_by_chore(connection, clock.now())[chore]


def ages_by_chore(connection: Connection, now: datetime) -> Mapping[str, float]:
    """Return for each chore how many seconds ago a worker last did it; infinite where none ever did."""
    ages = {chore: max((now - at).total_seconds(), 0) for chore, at in connection.execute(SELECT_HEARTBEATS)}
    return defaultdict(lambda: math.inf, ages)
