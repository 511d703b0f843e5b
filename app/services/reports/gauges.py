"""Gauges: what waits at present, and since when a worker has been silent, by the names of the metrics."""

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import DeclarativeBase, Session

from app.aws import queue
from app.config import handoff_endpoints
from app.database.transactions import query
from app.errors import DatabaseUnavailable
from app.mail import mailer
from app.models import Event, OutboxMessage, PendingToken, Registration, Subscription
from app.services.operations import heartbeats
from app.services.outbox import queue as outbox_queue

HEARTBEAT_GAUGES = {"worker": "foyer_worker_heartbeat_age_seconds", "events": "foyer_events_heartbeat_age_seconds"}


def current() -> dict[str, float]:
    """Return each gauge's value; while the database is away, no more than that it is."""
    try:
        return {"foyer_database_up": 1, **_measure()}
    except DatabaseUnavailable:
        return {"foyer_database_up": 0}


@query
def _measure(session: Session) -> dict[str, float]:
    now = datetime.now(UTC)
    parked, oldest = session.execute(
        select(func.count(), func.min(PendingToken.parked_at)).where(PendingToken.next_try_at.is_not(None))
    ).one()
    silences = heartbeats.ages_by_chore(session, now)
    return {
        "foyer_parked_tokens": parked,
        "foyer_parked_tokens_oldest_seconds": (now - oldest).total_seconds() if oldest else 0,
        "foyer_unlinked_registrations": _count(session, Registration, Registration.parked_token_id.is_not(None)),
        "foyer_events_ambiguous": _count(session, Event, Event.outcome == "ambiguous"),
        "foyer_reviews_due": _count(session, Subscription, Subscription.review_at <= now),
        **_outbox_gauges(session, now),
        **{name: silences[chore] for chore, name in HEARTBEAT_GAUGES.items() if chore != "events" or queue.current()},
    }


def _outbox_gauges(session: Session, now: datetime) -> dict[str, float]:
    is_mail = OutboxMessage.lane == outbox_queue.MAIL_LANE
    # To a product that takes no hand-offs any more, and while no mail is sent, nothing goes: no alarm could be ended.
    sent = OutboxMessage.lane.in_(
        [
            *map(outbox_queue.handoff_lane, handoff_endpoints.by_product_code()),
            *([outbox_queue.MAIL_LANE] if mailer.is_enabled() else []),
        ]
    )
    unsent = (OutboxMessage.outcome.in_(["waiting", "failed"]), sent)
    counted = select(is_mail, OutboxMessage.outcome, func.count(), func.min(OutboxMessage.created_at)).where(*unsent)
    rows = session.execute(counted.group_by(is_mail, OutboxMessage.outcome)).all()
    found = {(bool(of_mail), outcome): (count, oldest) for of_mail, outcome, count, oldest in rows}
    waiting, oldest = found.get((False, "waiting"), (0, None))
    return {
        "foyer_handoffs_waiting": waiting,
        "foyer_handoffs_oldest_seconds": (now - oldest).total_seconds() if oldest else 0,
        "foyer_handoffs_failed": found.get((False, "failed"), (0, None))[0],
        "foyer_mails_waiting": found.get((True, "waiting"), (0, None))[0],
        "foyer_mails_failed": found.get((True, "failed"), (0, None))[0],
    }


def _count(session: Session, model: type[DeclarativeBase], condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(model).where(condition)) or 0
