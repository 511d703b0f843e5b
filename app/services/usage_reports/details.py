"""One hour of usage with its items and its calls to AWS, or one item; and what happens next with it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, String, Uuid, bindparam, cast, select

from app.config import products
from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query
from app.models import UsageAttempt, UsageHour, UsageItem, UtcDateTime
from app.models.usage import PENDING_STATES
from app.services.metering import clock, licenses
from app.services.metering import hours as hour_times
from app.services.usage_reports import hours, outlook

# So many of an hour's items are shown, the latest.
MAX_ITEMS = 20
HOUR_IDS = select(UsageHour.id).where(
    UsageHour.id >= bindparam("first", type_=Uuid), UsageHour.id <= bindparam("last", type_=Uuid)
)
BY_ID = hours.NEWEST_HOURS_FIRST.where(UsageHour.id == bindparam("hour_id", type_=Uuid))
ITEMS_OF_HOUR = hours.NEWEST_ITEMS_FIRST.where(UsageItem.hour_id == bindparam("hour_id", type_=Uuid)).limit(MAX_ITEMS)
ITEMS_BY_ITEM_ID = hours.NEWEST_ITEMS_FIRST.where(UsageItem.item_id == bindparam("item_id", type_=String))
# The index has the product first: SQLite uses it only where that is given.
ITEMS_OF_PRODUCTS = ITEMS_BY_ITEM_ID.where(
    UsageItem.product_code.in_(bindparam("product_codes", type_=String, expanding=True))
)
# Few calls are made while an hour is sent, so that reading their lists of hours is quick.
ATTEMPTS = (
    select(UsageAttempt.__table__)
    .where(
        UsageAttempt.started_at.between(bindparam("first", type_=UtcDateTime), bindparam("last", type_=UtcDateTime)),
        cast(UsageAttempt.hour_ids, String).contains(bindparam("hour_id", type_=String)),
    )
    .order_by(UsageAttempt.started_at)
)


@query
def find_hour(connection: Connection, hour_id: UUID) -> RowDict | None:
    """Return the hour; None if there is none.

    Beside the columns of the list, it has `latest_items`, the `attempts` to send it, the `deadline` until which AWS
    takes it, None where it is settled, and `next`, a sentence.
    """
    found = hours.describe(connection, BY_ID.params(hour_id=hour_id))
    if not found:
        return None
    hour, now = found[0], clock.now()
    deadline = find_deadline(connection, hour)
    items = rows.fetch_all(connection, ITEMS_OF_HOUR, {"hour_id": hour_id})
    return hour | {
        "deadline": deadline if hour["state"] in PENDING_STATES else None,
        "next": outlook.of_hour(hour, deadline, now),
        "attempts": list(_attempts(connection, hour, now)),
        "latest_items": [hours.with_quantity(item) for item in items],
    }


@query
def find_items(connection: Connection, item_id: str) -> list[RowDict]:
    """Return the items with the product's id, of which each product may have one; `next` is a sentence."""
    if not item_id.isprintable():
        return []
    names = {"item_id": item_id, "product_codes": list(products.current())}
    # A product may have left the settings since.
    found = rows.fetch_all(connection, ITEMS_OF_PRODUCTS, names) or rows.fetch_all(connection, ITEMS_BY_ITEM_ID, names)
    return [hours.with_quantity(item) | {"next": outlook.of_item(item)} for item in found]


def find_deadline(connection: Connection, hour: Mapping[str, Any]) -> datetime:
    """Return from when on AWS does not take the hour, a row of `usage_hours`, whatever became of it."""
    subscription = licenses.find_by_ids(connection, [hour["subscription_id"]])[hour["subscription_id"]]
    until = subscription.takes_usage_until(subscription.license_by_key(hour["meter_key"]))
    deadline = hour_times.deadline(hour["timestamp"] or hour["hour"])
    return min(deadline, until) if until else deadline


def _attempts(connection: Connection, hour: RowDict, now: datetime) -> Iterator[RowDict]:
    """Yield the calls that the hour was in, each with its own record as `sent`."""
    if hour["frozen_at"] is None:
        return
    period: dict[str, Any] = {"first": hour["frozen_at"], "last": hour["settled_at"] or now}
    for attempt in rows.fetch_all(connection, ATTEMPTS, period | {"hour_id": str(hour["id"])}):
        records = attempt["body"].get("UsageRecords", [])
        position = attempt["hour_ids"].index(str(hour["id"]))
        yield {
            "started_at": attempt["started_at"],
            "ended_at": attempt["ended_at"],
            "outcome": attempt["outcome"],
            "records": len(records),
            "product_code": attempt["body"].get("ProductCode"),
            "sent": records[position] if position < len(records) else None,
        }
