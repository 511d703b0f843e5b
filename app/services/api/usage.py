"""Usage as the API tells it: the hours in which it is billed, newest first, and single items."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Uuid, literal, tuple_

from app.config import products
from app.database import rows
from app.database.transactions import query
from app.models import UtcDateTime
from app.services.api import cursors
from app.services.metering import licenses, quantity
from app.services.outbox.payload_part import PayloadPart
from app.services.usage_reports import details, hours
from app.services.usage_reports.hours import HOURS, Filters

State = Literal["open", "frozen", "sent", "billed", "conflict", "refused", "expired", "written-off"]


@dataclass(frozen=True)
class UsageHour(PayloadPart):
    """What one license used of one dimension in one hour: AWS bills one quantity for it.

    `quantity` is what AWS is sent or, while the hour is open, the sum so far. `timestamp` is the time that AWS is sent.
    """

    id: UUID
    subscription_id: UUID
    product_code: str
    license_arn: str | None
    dimension: str
    hour: datetime
    quantity: str
    items: int
    state: State
    code: str | None
    metering_record_id: str | None
    timestamp: datetime | None
    created_at: datetime
    frozen_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True)
class UsageItem(PayloadPart):
    """One item as the product reported it, with the hour that bills it, which is later than `at` where it was late.

    `hour_id` and `hour` are null where no hour bills it: its state is then `held` or `written-off`.
    """

    id: str
    subscription_id: UUID
    product_code: str
    dimension: str
    quantity: str
    at: datetime
    tags: dict[str, str] | None
    late: bool
    received_at: datetime
    state: State | Literal["held"]
    hour_id: UUID | None
    hour: datetime | None


@dataclass(frozen=True)
class UsagePage(PayloadPart):
    """Some hours of usage, newest first. While `more` is true, the cursor leads to earlier ones."""

    items: list[UsageHour]
    cursor: str | None
    more: bool


@dataclass(frozen=True)
class UsageItems(PayloadPart):
    """The items with one id: each product may have one."""

    items: list[UsageItem]


@dataclass(frozen=True)
class Request:
    """Which hours a client asks for, of the products that its token is for; None: every product.

    `subscription` is an id, that of a merged one included, or a license's ARN. `after` are the hour and the id after
    which they begin.
    """

    product_codes: frozenset[str] | None
    filters: Filters
    limit: int
    subscription: str | None = None
    after: tuple[datetime, UUID] | None = None


@query
def page(connection: Connection, request: Request) -> UsagePage:
    """Return the next hours."""
    statement = hours.select_newest(request.filters)
    if request.subscription is not None:
        target = licenses.find_targets(connection, {request.subscription}).get(request.subscription)
        if target is None:
            return UsagePage([], None, more=False)
        statement = statement.where(HOURS.subscription_id == target.subscription.id)
    if request.product_codes is not None:
        statement = statement.where(HOURS.product_code.in_(request.product_codes))
    if request.after:
        hour, row_id = request.after
        # The first condition is for the index, which has no ids.
        is_after = tuple_(HOURS.hour, HOURS.id) < tuple_(literal(hour, UtcDateTime), literal(row_id, Uuid))
        statement = statement.where(HOURS.hour <= hour, is_after)
    limit = request.limit
    found = rows.fetch_all(connection, statement.limit(limit + 1))
    shown = found[:limit]
    counted = connection.execute(hours.COUNT_ITEMS, {"ids": [row["id"] for row in shown]})
    counts = {row.hour_id: row.items for row in counted}
    more = len(found) > limit
    cursor = cursors.encode_usage(shown[-1]["hour"], shown[-1]["id"]) if more else None
    return UsagePage([_hour(row, counts.get(row["id"], 0)) for row in shown], cursor, more)


@query
def find_items(connection: Connection, product_codes: frozenset[str] | None, item_id: str) -> UsageItems | None:
    """Return the items with the product's id, of these products, None being all that are configured."""
    codes = list(products.current() if product_codes is None else product_codes)
    names = {"product_codes": codes, "item_id": item_id}
    found = rows.fetch_all(connection, details.ITEMS_OF_PRODUCTS, names)
    return UsageItems([_item(row) for row in found]) if found else None


def _hour(row: Mapping[str, Any], items: int) -> UsageHour:
    sent = row["quantity"]
    total = quantity.join(row["micros"], row["picos"]) if sent is None else quantity.join(sent, 0)
    own = {name: row[name] for name in UsageHour.__dataclass_fields__ if name in row}
    return UsageHour(**own | {"quantity": quantity.to_text(total), "items": items})


def _item(row: Mapping[str, Any]) -> UsageItem:
    return UsageItem(
        id=row["item_id"],
        subscription_id=row["subscription_id"],
        product_code=row["product_code"],
        dimension=row["dimension"],
        quantity=quantity.to_text(quantity.join(row["micros"], row["picos"])),
        at=row["used_at"],
        tags=row["tags"],
        late=row["is_late"],
        received_at=row["received_at"],
        state=row["state"] or ("written-off" if row["written_off_at"] else "held"),
        hour_id=row["hour_id"],
        hour=row["hour"],
    )
