"""Zeros: AWS recommends a record for each hour of a subscription, so that an hour without usage has one of 0.

Only for products that say so (`heartbeat`), of subscriptions that were active during the whole hour, and only once the
hour takes no more items: AWS keeps the first record of an hour, and a zero that is too early would hide its usage.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Integer, Uuid, bindparam, select

from app.config import products
from app.database.rows import MIN_ID
from app.database.transactions import after_commit, query, transaction
from app.models import Subscription, UsageHour, UtcDateTime
from app.services.metering import clock, hours, licenses
from app.services.metering.hour_rows import INSERT_HOURS, find_product_code_hours, new_hour
from app.services.metering.licenses import MeteredSubscription
from app.services.operations import heartbeats

log = structlog.get_logger()

# What no worker was there for is made up for, as far as AWS takes it.
LOOK_BACK = timedelta(hours=23)
# Zeros of one transaction: it must not hold up SQLite's only writer.
BATCH_ZEROS = 500
SUBSCRIPTIONS = Subscription.__table__
HOURS: Any = UsageHour.__table__
SELECT_SUBSCRIPTIONS = (
    select(*licenses.COLUMNS)
    .where(SUBSCRIPTIONS.c.product_code == bindparam("of_product"), SUBSCRIPTIONS.c.id > bindparam("after", type_=Uuid))
    # Of those that have ended, the ones that were active in one of the hours.
    .where(
        SUBSCRIPTIONS.c.status.in_(("active", "ending"))
        | (SUBSCRIPTIONS.c.status_since > bindparam("first", type_=UtcDateTime))
    )
    .order_by(SUBSCRIPTIONS.c.id)
    .limit(bindparam("batch_size", type_=Integer))
)


@dataclass(frozen=True)
class _Run:
    """The hours, from the first to the last, that are looked at for the subscriptions after an id."""

    product_code: str
    first: datetime
    last: datetime
    after: UUID = MIN_ID

    @property
    def batch_size(self) -> int:
        """How many subscriptions are looked at in one transaction."""
        dimensions = products.usage_rules(self.product_code).dimensions
        count = len(hours.each(self.first, self.last)) * len(dimensions)
        return max(BATCH_ZEROS // count, 1)


@dataclass
class Zeros:
    """Makes the zeros, some subscriptions at a time, and keeps in mind how far it is."""

    _runs: dict[str, _Run] = field(default_factory=dict)
    _done: dict[str, datetime] = field(default_factory=dict)

    def make_next(self) -> bool | None:
        """Make the zeros of the next subscriptions; return True where there may be more, None where there are none."""
        for code, product in products.current().items():
            if product.usage.heartbeat and (run := self._runs.get(code) or self._begin(code)):
                following = _make_batch(run)
                if following:
                    self._runs[code] = following
                else:
                    self._runs.pop(code, None)
                    self._done[code] = run.last
                return True
        return None

    def _begin(self, product_code: str) -> _Run | None:
        last = _last_closed_hour(product_code)
        if self._done.get(product_code, last - hours.HOUR) >= last:
            return None
        done = _find_done(product_code)
        earliest = hours.hour_of(clock.now() - LOOK_BACK) + hours.HOUR
        run = _Run(product_code, max(earliest, done + hours.HOUR) if done else earliest, last)
        if run.first > last:
            self._done[product_code] = last
            return None
        return run


def _last_closed_hour(product_code: str) -> datetime:
    """Return the latest hour that takes no more items, of those for which AWS takes records."""
    now, grace = clock.now(), products.usage_rules(product_code).grace
    hour = hours.hour_of(now) - hours.HOUR
    while hours.freeze_time(hour, grace, hour) > now:
        hour -= hours.HOUR
    return hour


@query
def _find_done(connection: Connection, product_code: str) -> datetime | None:
    return heartbeats.find(connection, _chore(product_code))


def _chore(product_code: str) -> str:
    """Return the chore's name, which has sixteen characters at the most."""
    return f"zeros:{hashlib.sha256(product_code.encode()).hexdigest()[:10]}"


@transaction
def _make_batch(connection: Connection, run: _Run) -> _Run | None:
    """Make the zeros of the next subscriptions, and return what is left to do."""
    batch_size = run.batch_size
    names = {"of_product": run.product_code, "after": run.after, "first": run.first, "batch_size": batch_size}
    rows = connection.execute(SELECT_SUBSCRIPTIONS, names).all()
    found = licenses.with_licenses(connection, rows)
    old_listings = [one.id for one in found.values() if one.customer_identifier]
    product_code_hours = find_product_code_hours(connection, old_listings, run.first, run.last)
    zeros = [zero for row in rows for zero in _zeros(found[row.id], run, product_code_hours.get(row.id, {}))]
    if zeros:
        connection.execute(INSERT_HOURS, zeros)
        after_commit(log.info, "usage.zeros", hours=len(zeros), product=run.product_code)
    if len(rows) == batch_size:
        return replace(run, after=rows[-1].id)
    heartbeats.record_at(connection, _chore(run.product_code), run.last)
    return None


def _zeros(
    subscription: MeteredSubscription, run: _Run, product_code_hours: Mapping[datetime, str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the hours during which the subscription was active; those that exist stay as they are."""
    now = clock.now()
    for hour in hours.each(run.first, run.last):
        license_ = subscription.license_at(hour)
        if hours.is_too_old(hour, now) or not subscription.is_active_during(license_, hour):
            continue
        meter_key = product_code_hours.get(hour, license_.key)
        for dimension in products.usage_rules(run.product_code).dimensions:
            yield {
                # Behind the usage that is to be sent, whose place is by its deadline.
                **new_hour(subscription, license_, (meter_key, dimension, hour), due_at=now, now=now),
                "state": "frozen",
                "quantity": 0,
                "timestamp": hour,
                "frozen_at": now,
            }
