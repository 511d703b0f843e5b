"""The end of a subscription or a license: what was used is billed before AWS takes no more."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, update

from app.models import UsageHour, UtcDateTime
from app.services.metering import clock

HOURS: Any = UsageHour.__table__
MAKE_DUE = (
    update(HOURS)
    .where(HOURS.c.subscription_id == bindparam("of_subscription", type_=Uuid), HOURS.c.state == "open")
    .values(due_at=bindparam("now", type_=UtcDateTime))
)


def make_due(connection: Connection, subscription_id: UUID) -> None:
    """Let the worker look at the subscription's open hours now, in the caller's transaction.

    It freezes those that are over without their grace time, and keeps the last one open for as long as AWS allows.
    """
    connection.execute(MAKE_DUE, {"of_subscription": subscription_id, "now": clock.now()})
