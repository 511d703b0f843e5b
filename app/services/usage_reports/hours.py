"""Reports of usage: hours as they are sent to AWS, and items that came late or are held."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, Uuid, bindparam, func, select

from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query, wait_for_operator
from app.models import Registration, UsageHour, UsageItem
from app.models.usage import IS_HELD, PROBLEM_STATES, USAGE_STATES
from app.services.metering import quantity

HOURS, ITEMS = UsageHour.__table__.c, UsageItem.__table__.c
HOUR_COLUMNS = (
    *HOURS["id", "hour", "subscription_id", "product_code", "license_arn", "meter_key"],
    *HOURS["dimension", "micros", "picos", "quantity"],
    *HOURS["state", "code", "metering_record_id", "tries", "due_at", "timestamp"],
    *HOURS["created_at", "frozen_at", "settled_at"],
)
NEWEST_HOURS_FIRST = select(*HOUR_COLUMNS).order_by(HOURS.hour.desc(), HOURS.id.desc())
ITEM_COLUMNS = (
    *ITEMS["id", "item_id", "used_at", "received_at", "subscription_id", "product_code", "dimension"],
    *ITEMS["micros", "picos", "tags", "is_late", "hour_id", "written_off_at"],
    UsageHour.hour,
    UsageHour.state,
)
WITH_HOURS = select(*ITEM_COLUMNS).outerjoin(UsageHour, UsageHour.id == UsageItem.hour_id)
NEWEST_ITEMS_FIRST = WITH_HOURS.order_by(UsageItem.id.desc())
IDS: Any = bindparam("ids", type_=Uuid, expanding=True)
COUNT_ITEMS = (
    select(UsageItem.hour_id, func.count().label("items")).where(UsageItem.hour_id.in_(IDS)).group_by(UsageItem.hour_id)
)
OF_SUBSCRIPTION = UsageHour.subscription_id == bindparam("subscription_id", type_=Uuid)
COUNT_STATES = select(UsageHour.state, func.count().label("hours")).where(OF_SUBSCRIPTION).group_by(UsageHour.state)
LATEST_OF_SUBSCRIPTION = NEWEST_HOURS_FIRST.where(OF_SUBSCRIPTION).limit(bindparam("limit"))
PROBLEMS_OF_SUBSCRIPTION = NEWEST_HOURS_FIRST.where(OF_SUBSCRIPTION, UsageHour.state.in_(PROBLEM_STATES)).limit(
    bindparam("limit")
)
HELD_OF_SUBSCRIPTION = NEWEST_ITEMS_FIRST.where(
    UsageItem.subscription_id == bindparam("subscription_id", type_=Uuid), IS_HELD
).limit(bindparam("limit"))
COMPANIES = select(Registration.subscription_id, Registration.company).where(Registration.subscription_id.in_(IDS))


@dataclass(frozen=True)
class Filters:
    """Which hours or items to return: those that match every filter given, of any of the states.

    `since` and `until` are of hours, and of the time of items' use.
    """

    subscription_id: UUID | None = None
    product_code: str | None = None
    states: Sequence[str] = ()
    dimension: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@query
def newest(connection: Connection, filters: Filters, *, limit: int) -> list[RowDict]:
    """Return the hours that match, newest first, each with its count of items and the registered company.

    `quantity` is the sum of its items as text, `sent_quantity` what AWS is sent.
    """
    wait_for_operator(connection)
    return describe(connection, select_newest(filters).limit(limit))


def select_newest(filters: Filters) -> Select[Any]:
    """Return the statement that selects the hours that match, newest first."""
    conditions = _conditions(HOURS, filters)
    if filters.states:
        conditions.append(_state_condition(filters.states))
    return NEWEST_HOURS_FIRST.where(*_within(HOURS.hour, filters), *conditions)


@query
def held_items(connection: Connection, filters: Filters, *, limit: int) -> list[RowDict]:
    """Return the items that are in no hour until a person decides, newest first."""
    return _items(connection, filters, IS_HELD, limit)


@query
def late_items(connection: Connection, filters: Filters, *, limit: int) -> list[RowDict]:
    """Return the items that came when their own hour was frozen, newest first, with the hour that bills them."""
    wait_for_operator(connection)
    return _items(connection, filters, UsageItem.is_late.is_(True), limit)


@query
def of_subscription(connection: Connection, subscription_id: UUID, *, limit: int) -> RowDict:
    """Return how many hours of the subscription are in each of the `states`, and the `latest` hours."""
    names = {"subscription_id": subscription_id}
    counts = {row.state: row.hours for row in connection.execute(COUNT_STATES, names)}
    return {
        "states": {state: counts[state] for state in USAGE_STATES if state in counts},
        "latest": describe(connection, LATEST_OF_SUBSCRIPTION.params(**names, limit=limit)),
    }


@query
def problems_of_subscription(connection: Connection, subscription_id: UUID, *, limit: int) -> list[RowDict]:
    """Return the latest hours that AWS does not bill, and held items, of which `state` is held."""
    names = {"subscription_id": subscription_id, "limit": limit}
    held = [with_quantity(item) | {"state": "held"} for item in rows.fetch_all(connection, HELD_OF_SUBSCRIPTION, names)]
    return [*map(with_quantity, rows.fetch_all(connection, PROBLEMS_OF_SUBSCRIPTION, names)), *held]


def describe(connection: Connection, statement: Select[Any]) -> list[RowDict]:
    """Return the hours of a statement with HOUR_COLUMNS, each with its count of items and the company."""
    found = rows.fetch_all(connection, statement)
    ids = {"ids": [row["id"] for row in found]}
    counts = {row.hour_id: row.items for row in connection.execute(COUNT_ITEMS, ids)}
    companies = _companies(connection, found)
    return [
        with_quantity(row)
        | {
            "sent_quantity": None if row["quantity"] is None else quantity.micros_to_text(row["quantity"]),
            "items": counts.get(row["id"], 0),
            "company": companies.get(row["subscription_id"]),
        }
        for row in found
    ]


def with_quantity(row: RowDict) -> RowDict:
    """Return the row with the quantity as text in place of its two columns."""
    others = {name: value for name, value in row.items() if name not in ("micros", "picos")}
    return others | {"quantity": quantity.to_text(quantity.join(row["micros"], row["picos"]))}


def _items(connection: Connection, filters: Filters, condition: ColumnElement[bool], limit: int) -> list[RowDict]:
    conditions = [condition, *_within(ITEMS.used_at, filters), *_conditions(ITEMS, filters)]
    found = rows.fetch_all(connection, NEWEST_ITEMS_FIRST.where(*conditions).limit(limit))
    companies = _companies(connection, found)
    return [with_quantity(row) | {"company": companies.get(row["subscription_id"])} for row in found]


def _companies(connection: Connection, found: Sequence[RowDict]) -> dict[UUID, str]:
    ids = {"ids": list({row["subscription_id"] for row in found})}
    return {row.subscription_id: row.company for row in connection.execute(COMPANIES, ids)}


def _conditions(columns: Any, filters: Filters) -> list[ColumnElement[bool]]:
    return rows.filter_conditions(
        {
            columns.subscription_id: filters.subscription_id,
            columns.product_code: filters.product_code,
            columns.dimension: filters.dimension,
        }
    )


def _within(column: Any, filters: Filters) -> list[ColumnElement[bool]]:
    until = [] if filters.until is None else [column < filters.until]
    return [*rows.since_condition(column, filters.since), *until]


def _state_condition(states: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition so that SQLite, which has no statistics, reads the right index.

    Nearly all hours are billed: they are read in the order of time. Those of other states are few: they are looked up
    by the state, and sorted.
    """
    if "billed" in states:
        return HOURS.state.not_in([state for state in USAGE_STATES if state not in states])
    return HOURS.state.in_(states)
