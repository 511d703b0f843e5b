"""The end of a subscription or a license: what was used is billed before AWS takes no more."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, select, update

from app.models import UsageHour, UtcDateTime
from app.services.metering import clock

HOURS: Any = UsageHour.__table__
SUBSCRIPTION_ID = bindparam("of_subscription", type_=Uuid)
# In the order in which all lock hours: two transactions that lock several must not wait for each other.
LOCK_HOURS = (
    select(HOURS.c.id)
    .where(HOURS.c.subscription_id == SUBSCRIPTION_ID, HOURS.c.due_at.is_not(None))
    .order_by(HOURS.c.id)
    .with_for_update()
)
# Those of a call that is under way are left to its lease.
MAKE_DUE = (
    update(HOURS)
    .where(HOURS.c.subscription_id == SUBSCRIPTION_ID, HOURS.c.state.in_(("open", "frozen")))
    .where(HOURS.c.due_at > bindparam("now", type_=UtcDateTime))
    .values(due_at=bindparam("now", type_=UtcDateTime))
)


def lock_hours(connection: Connection, subscription_id: UUID) -> None:
    """Lock the subscription's hours that are not settled, until the caller's transaction ends."""
    connection.execute(LOCK_HOURS, {"of_subscription": subscription_id})


def make_due(connection: Connection, subscription_id: UUID) -> None:
    """Let the worker look at the subscription's open hours now, in the caller's transaction.

    It freezes those that are over without their grace time, and keeps the last one open for as long as AWS allows.
    Those that wait for another try are sent.
    """
    lock_hours(connection, subscription_id)
    connection.execute(MAKE_DUE, {"of_subscription": subscription_id, "now": clock.now()})
