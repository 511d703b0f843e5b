"""A month's usage for bookkeeping: for each license and dimension, what was used, and what became of it.

`used` is the sum of the items. It is what was billed and what was not, by state, but for what rounding carried from
one hour to the next: less than a millionth, or than one where the product is metered in whole units.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, func, null, select, union

from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query, wait_for_operator
from app.models import Registration, Subscription, UsageHour, UsageItem, UtcDateTime
from app.models.usage import USAGE_STATES
from app.services.metering import hours as hour_times
from app.services.metering import quantity

STATE_COLUMNS = {state: state.replace("-", "_") for state in (*USAGE_STATES, "held")}
COLUMNS = (
    *("month", "product_code", "subscription_id", "company", "customer_aws_account_id", "customer_identifier"),
    *("license_arn", "dimension", "used"),
    *STATE_COLUMNS.values(),
)
HOURS, ITEMS = UsageHour.__table__.c, UsageItem.__table__.c
FIRST, END = bindparam("first", type_=UtcDateTime), bindparam("end", type_=UtcDateTime)
MICROS_PER_UNIT = 10**6


def _sums(micros: ColumnElement[Any], picos: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    """Return the columns whose sum is the quantity: SQLite's integers overflow with 922 of the largest micros."""
    whole, rest = micros // MICROS_PER_UNIT, micros % MICROS_PER_UNIT
    return func.sum(whole).label("units"), func.sum(rest).label("micros"), func.sum(picos).label("picos")


KEY = (HOURS.product_code, HOURS.subscription_id, HOURS.license_arn, HOURS.dimension)
HOURS_OF_MONTH = (HOURS.hour >= FIRST, HOURS.hour < END)
SUM_HOURS = (
    select(*KEY, HOURS.state, *_sums(HOURS.micros, HOURS.picos), func.sum(HOURS.quantity).label("sent"))
    .where(*HOURS_OF_MONTH)
    .group_by(*KEY, HOURS.state)
)
ITEM_KEY = (ITEMS.product_code, ITEMS.subscription_id, ITEMS.dimension)
WITHOUT_HOUR_OF_MONTH = (ITEMS.hour_id.is_(None), ITEMS.used_at >= FIRST, ITEMS.used_at < END)
ITEM_STATE = case((ITEMS.written_off_at.is_(None), "held"), else_="written-off").label("state")
SUM_ITEMS_WITHOUT_HOUR = (
    select(*ITEM_KEY, null().label("license_arn"), ITEM_STATE, *_sums(ITEMS.micros, ITEMS.picos))
    .where(*WITHOUT_HOUR_OF_MONTH)
    .group_by(*ITEM_KEY, ITEM_STATE)
)
CUSTOMERS = (
    select(
        Subscription.id, Subscription.customer_aws_account_id, Subscription.customer_identifier, Registration.company
    )
    .outerjoin(Registration, Registration.subscription_id == Subscription.id)
    .where(
        Subscription.id.in_(
            union(
                select(HOURS.subscription_id).where(*HOURS_OF_MONTH),
                select(ITEMS.subscription_id).where(*WITHOUT_HOUR_OF_MONTH),
            )
        )
    )
)


@query
def of_month(connection: Connection, month: datetime, product_code: str | None = None) -> list[RowDict]:
    """Return a row with COLUMNS for each license and dimension with usage in the month that begins then (UTC).

    Quantities are text. Items that are in no hour, because they are held or were written off, have no license.
    """
    wait_for_operator(connection)
    period = {"first": month, "end": hour_times.next_month(month)}
    totals: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for statement in (SUM_HOURS, SUM_ITEMS_WITHOUT_HOUR):
        for row in connection.execute(statement, period):
            key = (row.product_code, row.subscription_id, row.license_arn, row.dimension)
            used = quantity.join(int(row.units) * MICROS_PER_UNIT + int(row.micros), int(row.picos))
            totals[key]["used"] += used
            totals[key][row.state] += quantity.join(int(row.sent), 0) if row.state == "billed" else used
    customers = {row["id"]: row for row in rows.fetch_all(connection, CUSTOMERS, period)}
    return [
        _row(month, key, totals[key], customers[key[1]])
        for key in sorted(totals, key=str)
        if product_code is None or key[0] == product_code.strip()
    ]


def _row(month: datetime, key: tuple[Any, ...], picos: Mapping[str, int], customer: RowDict) -> RowDict:
    product_code, subscription_id, license_arn, dimension = key
    return {
        "month": f"{month:%Y-%m}",
        "product_code": product_code,
        "subscription_id": subscription_id,
        "company": customer["company"],
        "customer_aws_account_id": customer["customer_aws_account_id"],
        "customer_identifier": customer["customer_identifier"],
        "license_arn": license_arn,
        "dimension": dimension,
        "used": quantity.to_text(picos["used"]),
        **{column: quantity.to_text(picos.get(state, 0)) for state, column in STATE_COLUMNS.items()},
    }
