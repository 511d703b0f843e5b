"""Gauges for /metrics, the worker's log and `foyer status`: what waits or has failed, and the heartbeats' ages."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select

from app.aws import queue
from app.database import clock
from app.database.transactions import query
from app.errors import DatabaseUnavailable
from app.models import Event, OutboxMessage, PendingToken, Registration, Subscription, UtcDateTime
from app.services.operations import heartbeats, readiness
from app.services.outbox import expiry
from app.services.reports.outbox import IS_MAIL
from app.services.usage_reports import backlog

HEARTBEAT_GAUGES = {"worker": "foyer_worker_heartbeat_age_seconds", "events": "foyer_events_heartbeat_age_seconds"}
PENDING_TOKENS = select(func.count(), func.min(PendingToken.parked_at)).where(PendingToken.next_try_at.is_not(None))
COUNTS = {
    "foyer_unlinked_registrations": select(func.count()).where(Registration.parked_token_id.is_not(None)),
    "foyer_events_ambiguous": select(func.count()).where(Event.outcome == "ambiguous"),
    "foyer_reviews_due": select(func.count()).where(Subscription.review_at <= bindparam("now", type_=UtcDateTime)),
}
UNSENT_MESSAGES = (
    select(IS_MAIL, OutboxMessage.outcome, func.count(), func.min(OutboxMessage.created_at))
    .where(OutboxMessage.outcome.in_(["waiting", "failed"]), OutboxMessage.lane.in_(bindparam("lanes", expanding=True)))
    .group_by(IS_MAIL, OutboxMessage.outcome)
)


def current() -> dict[str, float]:
    """Return each gauge's value by metric name; only `foyer_database_up` while the database cannot be read."""
    is_up = 0 if readiness.find_problem() else 1
    try:
        return {"foyer_database_up": is_up, **_measure()}
    except DatabaseUnavailable:
        return {"foyer_database_up": 0}


@query
def _measure(connection: Connection) -> dict[str, float]:
    now = clock.now()
    pending_count, oldest = connection.execute(PENDING_TOKENS).one()
    heartbeat_ages = heartbeats.ages_by_chore(connection, now)
    # Without an events queue no worker polls one: its age would be infinite for good.
    chores = [chore for chore in HEARTBEAT_GAUGES if chore != "events" or queue.current()]
    return {
        "foyer_parked_tokens": pending_count,
        "foyer_parked_tokens_oldest_seconds": _age_seconds(oldest, now),
        **{name: connection.scalar(statement, {"now": now}) or 0 for name, statement in COUNTS.items()},
        **_outbox_gauges(connection, now),
        **backlog.measure(connection),
        **{HEARTBEAT_GAUGES[chore]: heartbeat_ages[chore] for chore in chores},
    }


def _outbox_gauges(connection: Connection, now: datetime) -> dict[str, float]:
    # Messages of a product without an endpoint, or while mail is off, are never sent: an alarm on them could not end.
    lanes = expiry.configured_lanes()
    unsent: dict[tuple[bool, str], tuple[int, datetime | None]] = defaultdict(lambda: (0, None))
    for is_mail, outcome, count, oldest in connection.execute(UNSENT_MESSAGES, {"lanes": lanes}):
        unsent[bool(is_mail), outcome] = (count, oldest)
    waiting_handoffs, oldest = unsent[False, "waiting"]
    return {
        "foyer_handoffs_waiting": waiting_handoffs,
        "foyer_handoffs_oldest_seconds": _age_seconds(oldest, now),
        "foyer_handoffs_failed": unsent[False, "failed"][0],
        "foyer_mails_waiting": unsent[True, "waiting"][0],
        "foyer_mails_failed": unsent[True, "failed"][0],
    }


def _age_seconds(oldest: datetime | None, now: datetime) -> float:
    return (now - oldest).total_seconds() if oldest else 0
