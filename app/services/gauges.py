"""Gauges: what waits at present, and since when a worker has been silent, by the names of the metrics."""

import math
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import DeclarativeBase, Session

from app.database import query
from app.errors import DatabaseUnavailable
from app.models import Event, Heartbeat, ParkedToken, Registration, Subscription
from app.services import inbox

HEARTBEATS = {"worker": "foyer_worker_heartbeat_age_seconds", "events": "foyer_events_heartbeat_age_seconds"}


def current() -> dict[str, float]:
    """Return each gauge's value; while the database is away, no more than that it is."""
    try:
        return {"foyer_database_up": 1, **_measured()}
    except DatabaseUnavailable:
        return {"foyer_database_up": 0}


@query
def _measured(session: Session) -> dict[str, float]:
    now = datetime.now(UTC)
    parked, oldest = session.execute(
        select(func.count(), func.min(ParkedToken.parked_at)).where(ParkedToken.next_try_at.is_not(None))
    ).one()
    beats = {beat.chore: max((now - beat.at).total_seconds(), 0) for beat in session.scalars(select(Heartbeat))}
    return {
        "foyer_parked_tokens": parked,
        "foyer_parked_tokens_oldest_seconds": (now - oldest).total_seconds() if oldest else 0,
        "foyer_unlinked_registrations": _count(session, Registration, Registration.parked_token_id.is_not(None)),
        "foyer_events_ambiguous": _count(session, Event, Event.outcome == "ambiguous"),
        "foyer_reviews_due": _count(session, Subscription, Subscription.review_at <= now),
        # Who has never been heard of has been silent for ever.
        **{
            name: beats.get(chore, math.inf)
            for chore, name in HEARTBEATS.items()
            if chore != "events" or inbox.is_there()
        },
    }


def _count(session: Session, model: type[DeclarativeBase], condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(model).where(condition)) or 0
