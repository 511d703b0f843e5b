"""Hours for which an active subscription of a metered product has no usage: its product may have stopped to report."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, String, Uuid, bindparam, distinct, exists, func, select

from app.config import products
from app.database.rows import RowDict
from app.database.transactions import query, wait_for_operator
from app.models import Registration, Subscription, UsageHour, UtcDateTime
from app.services.metering import clock, hours

# Of so many subscriptions, the hours are read at once.
BATCH_SIZE = 500
HAS_USAGE = select(exists().where(UsageHour.product_code == bindparam("product_code", type_=String)))
ACTIVE = (
    select(
        Subscription.id,
        Subscription.product_code,
        Registration.company,
        func.coalesce(Subscription.status_since, Subscription.created_at).label("active_since"),
    )
    .outerjoin(Registration, Registration.subscription_id == Subscription.id)
    .where(Subscription.status == "active", Subscription.product_code == bindparam("product_code", type_=String))
    .order_by(Subscription.id)
)
IN_PERIOD = UsageHour.hour.between(bindparam("first", type_=UtcDateTime), bindparam("last", type_=UtcDateTime))
COUNT_HOURS = (
    select(UsageHour.subscription_id, func.count(distinct(UsageHour.hour)).label("hours"))
    .where(IN_PERIOD)
    .group_by(UsageHour.subscription_id)
)
SELECT_HOURS = select(UsageHour.subscription_id, UsageHour.hour).where(
    IN_PERIOD, UsageHour.subscription_id.in_(bindparam("ids", type_=Uuid, expanding=True))
)


@query
def find(connection: Connection, count: int) -> list[RowDict]:
    """Return the active subscriptions with hours without usage among the last `count`, the most such hours first.

    Hours count once no item is waited for any more, and once the subscription is active. A product is metered that has
    dimensions in the settings, or has had usage.
    """
    wait_for_operator(connection)
    found = [row for code in _metered(connection) for row in _of_product(connection, code, count)]
    return sorted(found, key=lambda row: (-len(row["hours"]), str(row["subscription_id"])))


def _metered(connection: Connection) -> Iterator[str]:
    for code, product in products.current().items():
        if product.usage.dimensions or connection.scalar(HAS_USAGE, {"product_code": code}):
            yield code


def _of_product(connection: Connection, code: str, count: int) -> Iterator[RowDict]:
    last = hours.hour_of(clock.now() - products.usage_rules(code).grace) - hours.HOUR
    period = {"first": last - (count - 1) * hours.HOUR, "last": last}
    counts = {row.subscription_id: row.hours for row in connection.execute(COUNT_HOURS, period)}
    active = connection.execute(ACTIVE, {"product_code": code}).all()
    incomplete = [row for row in active if counts.get(row.id, 0) < count]
    for start in range(0, len(incomplete), BATCH_SIZE):
        yield from _missing(connection, incomplete[start : start + BATCH_SIZE], period)


def _missing(
    connection: Connection, subscriptions: Iterable[Row[Any]], period: dict[str, datetime]
) -> Iterator[RowDict]:
    recorded: dict[UUID, set[datetime]] = defaultdict(set)
    ids = [row.id for row in subscriptions]
    for row in connection.execute(SELECT_HOURS, {**period, "ids": ids}):
        recorded[row.subscription_id].add(row.hour)
    for row in subscriptions:
        # The hour in which it became active need not have usage.
        first = max(period["first"], hours.hour_of(row.active_since + hours.HOUR - timedelta(microseconds=1)))
        missing = [hour for hour in hours.each(first, period["last"]) if hour not in recorded[row.id]]
        if missing:
            yield {
                "subscription_id": row.id,
                "company": row.company,
                "product_code": row.product_code,
                "missing": len(missing),
                "hours": missing,
            }
