"""A clock for usage that a test sets, and what it stores by that clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import update
from uuid_utils.compat import uuid7

from app.database import clock as database_clock
from app.database import transactions
from app.models import UsageHour
from app.services.metering import accept, clock
from app.services.metering.hour_book import ItemVerdict

HALF_PAST_TWO = datetime(2026, 11, 28, 14, 30, tzinfo=UTC)


class UsageClock:
    """The time of usage: that of `now`, until the test sets another."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def set(self, day: int, hour: int, minute: int = 0, month: int = 11) -> None:
        """Set the clock to this time of 2026."""
        self.now = datetime(2026, month, day, hour, minute, tzinfo=UTC)


@contextmanager
def usage_time(now: datetime = HALF_PAST_TWO) -> Iterator[UsageClock]:
    """Let usage be dated by the clock that is yielded."""
    own = UsageClock(now)
    clock.set_source(lambda: own.now)
    try:
        yield own
    finally:
        clock.set_source(database_clock.now)


def send_usage(app: Flask, subscription: UUID | str, at: str, quantity: str = "1", **values: Any) -> ItemVerdict:
    """Accept one item, and return its verdict."""
    item = {"id": str(uuid7()), **_item(subscription, at, quantity), **values}
    with app.app_context():
        [verdict] = accept.accept([item], None)
    return verdict


def send_many(app: Flask, subscription: UUID | str, at: str, quantity: str, *, count: int) -> None:
    """Accept so many items that are equal but for their ids, item-0 and so on."""
    items = [{"id": f"item-{number}", **_item(subscription, at, quantity)} for number in range(count)]
    with app.app_context():
        accept.accept(items, None)


def _item(subscription: UUID | str, at: str, quantity: str) -> dict[str, str]:
    return {"subscription": str(subscription), "dimension": "users", "quantity": quantity, "at": at}


def settle_hours(app: Flask, hour: datetime, state: str, **values: Any) -> None:
    """Let the hours of that time be in another state, as after a call to AWS."""
    # What freezing fixes.
    frozen = {"quantity": UsageHour.micros, "timestamp": hour, "frozen_at": hour}
    statement = update(UsageHour).where(UsageHour.hour == hour).values(**frozen | {"state": state} | values)
    with app.app_context():
        transactions.write(lambda connection: connection.execute(statement))
