"""The feed: subscriptions in the order in which they last changed, page by page; and single ones by id.

A transaction that began earlier may commit later. Its row then appears before rows that clients have already read. No
transaction lasts a minute, so rows younger than WATERMARK_LAG are returned again by the next requests: see `cursors`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, String, Uuid, and_, bindparam, cast, literal, select, text, tuple_
from sqlalchemy.orm import Session

from app import models
from app.database import rows as database_rows
from app.database.transactions import query
from app.models import UtcDateTime
from app.models.purchases import IS_MERGED_SQL
from app.services.api import cursors
from app.services.api.cursors import Cursor, Position
from app.services.outbox import payload
from app.services.outbox.payload import PayloadModel, SubscriptionSnapshot, Timestamp

WATERMARK_LAG = timedelta(seconds=60)
SUBSCRIPTIONS = models.Subscription.__table__
EVERY_SUBSCRIPTION = select(SUBSCRIPTIONS)
REGISTERED_SUBSCRIPTIONS = EVERY_SUBSCRIPTION.join(
    models.Registration, models.Registration.subscription_id == SUBSCRIPTIONS.c.id
)
HAS_ID = SUBSCRIPTIONS.c.id == bindparam("subscription_id", type_=Uuid)
# LIKE is safe here: an id in JSON text is always spelled the same, and has no wildcards.
HAS_FORMER_ID = and_(text(IS_MERGED_SQL), cast(SUBSCRIPTIONS.c.former_ids, String).like(bindparam("former_id_pattern")))
HAS_REGISTRATION_ID = models.Registration.id == bindparam("registration_id", type_=Uuid)
IDS = bindparam("ids", type_=Uuid, expanding=True)
REGISTRATIONS = select(models.Registration.__table__).where(models.Registration.subscription_id.in_(IDS))
ACCOUNTS = select(models.Account.__table__).where(models.Account.subscription_id.in_(IDS))


class Item(SubscriptionSnapshot):
    """One subscription with its registration and account, and when any of them last changed."""

    changed_at: Timestamp


class Page(PayloadModel):
    """Some of the subscriptions. `more`: request the next page at once; else use the cursor for later changes."""

    items: list[Item]
    cursor: str
    more: bool


@dataclass(frozen=True)
class Filters:
    """Which subscriptions a request selects. `product_codes` are all that its token may read; None: every product."""

    product_codes: frozenset[str] | None = None
    product_code: str | None = None
    status: str | None = None
    customer_aws_account_id: str | None = None
    registered: bool = False


@query
def page(session: Session, filters: Filters, after: Cursor, limit: int, now: datetime) -> Page:
    """Return the next `limit` subscriptions after the cursor, in the order in which they last changed."""
    rows = session.execute(select_after(filters, after.position).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    last = Position(rows[-1].changed_at, rows[-1].id) if rows else after.position
    cursor = _next_cursor(after, last, now, more=more)
    return Page(items=_load_items(session, rows), cursor=cursors.encode(cursor), more=more)


def select_after(filters: Filters, after: Position) -> Select[Any]:
    """Return the statement that selects the subscriptions after the position, in the feed's order."""
    is_after = tuple_(SUBSCRIPTIONS.c.changed_at, SUBSCRIPTIONS.c.id) > tuple_(
        literal(after.changed_at, UtcDateTime), literal(after.id, Uuid)
    )
    return _select_subscriptions(filters).where(is_after).order_by(SUBSCRIPTIONS.c.changed_at, SUBSCRIPTIONS.c.id)


@query
def find_subscription(session: Session, filters: Filters, subscription_id: UUID) -> Item | None:
    """Return the subscription with the id, or the one that a subscription with this id was merged into."""
    subscriptions = _select_subscriptions(filters)
    rows = session.execute(subscriptions.where(HAS_ID), {"subscription_id": subscription_id}).all()
    if not rows:
        pattern = {"former_id_pattern": f'%"{subscription_id}"%'}
        rows = session.execute(subscriptions.where(HAS_FORMER_ID), pattern).all()
    return next(iter(_load_items(session, rows)), None)


@query
def find_by_registration(session: Session, filters: Filters, registration_id: UUID) -> Item | None:
    """Return the subscription that has the registration; None while the registration waits for its purchase."""
    subscriptions = _select_subscriptions(replace(filters, registered=True))
    rows = session.execute(subscriptions.where(HAS_REGISTRATION_ID), {"registration_id": registration_id}).all()
    return next(iter(_load_items(session, rows)), None)


def _next_cursor(after: Cursor, last: Position, now: datetime, *, more: bool) -> Cursor:
    watermark = after.watermark
    # Once a row younger than the lag was read, the watermark stays until the client has read to the end.
    if watermark == after.position:
        watermark = max(watermark, min(last, Position(now - WATERMARK_LAG, database_rows.MIN_ID)))
    return Cursor(last if more else watermark, watermark)


def _select_subscriptions(filters: Filters) -> Select[Any]:
    values = {
        models.Subscription.product_code: filters.product_code,
        models.Subscription.status: filters.status,
        models.Subscription.customer_aws_account_id: filters.customer_aws_account_id,
    }
    conditions = database_rows.filter_conditions(values)
    if filters.product_codes is not None:
        conditions.append(models.Subscription.product_code.in_(filters.product_codes))
    subscriptions = REGISTERED_SUBSCRIPTIONS if filters.registered else EVERY_SUBSCRIPTION
    return subscriptions.where(*conditions)


def _load_items(session: Session, rows: Sequence[Row[Any]]) -> list[Item]:
    ids = [row.id for row in rows]
    registrations = _rows_by_subscription(session, REGISTRATIONS, ids)
    accounts = _rows_by_subscription(session, ACCOUNTS, ids)
    snapshots = [payload.build(row, registrations.get(row.id), accounts.get(row.id)) for row in rows]
    return [Item(**vars(snapshot), changed_at=row.changed_at) for row, snapshot in zip(rows, snapshots, strict=True)]


def _rows_by_subscription(session: Session, statement: Select[Any], ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    return {row.subscription_id: row for row in session.execute(statement, {"ids": ids})}
