"""How much usage waits or is not billed, for the metrics: a few milliseconds, however many hours are billed."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from app.database.transactions import query
from app.errors import DatabaseUnavailable
from app.models import UsageAttempt, UsageHour, UsageItem, UtcDateTime
from app.models.usage import IS_HELD, IS_UNSENT, PENDING_STATES, PROBLEM_STATES
from app.observability.metrics import LabelledGauges
from app.services.metering import clock

# Neither those that are billed, which are nearly all, nor those that were written off.
COUNTED_STATES = (*PENDING_STATES, *PROBLEM_STATES)
UNREAD = "unread"
HOURS: Any = UsageHour.__table__
COUNT_BY_STATE = select(HOURS.c.state, func.count()).where(HOURS.c.state.in_(COUNTED_STATES)).group_by(HOURS.c.state)
SELECT_OLDEST_UNSENT = select(HOURS.c.hour).where(IS_UNSENT).order_by(HOURS.c.hour).limit(1)
COUNT_HELD = select(func.count()).select_from(UsageItem).where(IS_HELD)
COUNT_CALLS = (
    select(UsageAttempt.outcome, func.count())
    .where(UsageAttempt.started_at > bindparam("since", type_=UtcDateTime))
    .group_by(UsageAttempt.outcome)
)
HAS_HOURS = select(HOURS.c.id).limit(1)


def measure(connection: Connection) -> dict[str, float]:
    """Return the gauges without labels."""
    oldest: datetime | None = connection.scalar(SELECT_OLDEST_UNSENT)
    return {
        "foyer_usage_oldest_unsent_seconds": (clock.now() - oldest).total_seconds() if oldest else 0,
        "foyer_usage_held_items": connection.scalar(COUNT_HELD) or 0,
    }


def measure_by_label() -> LabelledGauges:
    """Return the hours by state, and the calls of the last hour by outcome; none while the database is away."""
    try:
        return _measure_by_label()
    except DatabaseUnavailable:
        return {}


@query
def _measure_by_label(connection: Connection) -> LabelledGauges:
    hours = dict(connection.execute(COUNT_BY_STATE).tuples().all())
    calls = connection.execute(COUNT_CALLS, {"since": clock.now() - timedelta(hours=1)}).tuples().all()
    return {
        "foyer_usage_records": ("state", {state: hours.get(state, 0) for state in COUNTED_STATES}),
        "foyer_usage_calls_last_hour": ("outcome", {outcome or UNREAD: number for outcome, number in calls}),
    }


@query
def has_usage(connection: Connection) -> bool:
    """Return whether any usage was stored."""
    return connection.execute(HAS_HOURS).first() is not None
