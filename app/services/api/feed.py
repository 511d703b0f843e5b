"""The feed: subscriptions in the order in which they last changed, page by page, and one by one.

A transaction that began earlier may end later: then a subscription appears at a place that was read already. It does
so within a minute, because no transaction lasts as long. So what was read while it was younger than that is read once
more, by the walk that follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, String, Uuid, cast, literal, select, text, tuple_
from sqlalchemy.orm import Session

from app import models
from app.database import rows as database_rows
from app.database.transactions import query
from app.models import UtcDateTime
from app.services.api import cursors
from app.services.api.cursors import Cursor, Position
from app.services.outbox import payload
from app.services.outbox.payload import PayloadModel, Timestamp

WATERMARK_LAG = timedelta(seconds=60)
SUBSCRIPTIONS = models.Subscription.__table__


class Item(PayloadModel):
    """All that is told of one subscription, and when it last changed."""

    subscription: payload.SubscriptionOut
    registration: payload.RegistrationOut | None
    account: payload.AccountOut
    changed_at: Timestamp


class Page(PayloadModel):
    """Some of the subscriptions. `more`: there are more at once; else the cursor is good for what changes later."""

    items: list[Item]
    cursor: str
    more: bool


@dataclass(frozen=True)
class Filters:
    """Which subscriptions somebody asks for. `product_codes` are all they may see; None: every product."""

    product_codes: frozenset[str] | None = None
    product_code: str | None = None
    status: str | None = None
    customer_aws_account_id: str | None = None
    registered: bool = False


@query
def page(session: Session, filters: Filters, after: Cursor, limit: int, now: datetime) -> Page:
    """Return the next subscriptions after the cursor, at most so many, in the order in which they last changed."""
    rows = session.execute(select_after(filters, after.position).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    last = Position(rows[-1].changed_at, rows[-1].id) if rows else after.position
    cursor = _next_cursor(after, last, now, more=more)
    return Page(items=_load_items(session, rows), cursor=cursors.encode(cursor), more=more)


def select_after(filters: Filters, after: Position) -> Select[Any]:
    """Return the statement that finds what is wanted after that place."""
    place = tuple_(SUBSCRIPTIONS.c.changed_at, SUBSCRIPTIONS.c.id) > tuple_(
        literal(after.changed_at, UtcDateTime), literal(after.id, Uuid)
    )
    return _select_subscriptions(filters).where(place).order_by(SUBSCRIPTIONS.c.changed_at, SUBSCRIPTIONS.c.id)


@query
def find_subscription(session: Session, filters: Filters, subscription_id: UUID) -> Item | None:
    """Return the subscription that has the id, or had it before it turned out to be the same as another."""
    of_that_id = _select_subscriptions(filters).where(SUBSCRIPTIONS.c.id == subscription_id)
    # An id is the same text in every JSON, and holds nothing that LIKE takes for more.
    merged = cast(SUBSCRIPTIONS.c.former_ids, String).like(f'%"{subscription_id}"%')
    is_merged = _select_subscriptions(filters).where(text(models.IS_MERGED_SQL), merged)
    rows = session.execute(of_that_id).all() or session.execute(is_merged).all()
    return next(iter(_load_items(session, rows)), None)


@query
def find_by_registration(session: Session, filters: Filters, registration_id: UUID) -> Item | None:
    """Return the subscription whose registration has the id; None where that still waits for its purchase."""
    registered = _select_subscriptions(replace(filters, registered=True))
    rows = session.execute(registered.where(models.Registration.id == registration_id)).all()
    return next(iter(_load_items(session, rows)), None)


def _next_cursor(after: Cursor, last: Position, now: datetime, *, more: bool) -> Cursor:
    # Once something young was read, nothing settles before the walk has come to its end.
    settled = after.watermark
    if settled == after.position:
        settled = max(settled, min(last, Position(now - WATERMARK_LAG, cursors.MIN_ID)))
    return Cursor(last if more else settled, settled)


def _select_subscriptions(filters: Filters) -> Select[Any]:
    statement = select(SUBSCRIPTIONS).where(*_conditions(filters))
    if not filters.registered:
        return statement
    return statement.join(models.Registration, models.Registration.subscription_id == SUBSCRIPTIONS.c.id)


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions = database_rows.filter_conditions(
        {
            models.Subscription.product_code: filters.product_code,
            models.Subscription.status: filters.status,
            models.Subscription.customer_aws_account_id: filters.customer_aws_account_id,
        }
    )
    if filters.product_codes is not None:
        conditions.append(models.Subscription.product_code.in_(filters.product_codes))
    return conditions


def _load_items(session: Session, rows: Sequence[Row[Any]]) -> list[Item]:
    ids = [row.id for row in rows]
    registrations = _rows_by_subscription(session, models.Registration, ids)
    accounts = _rows_by_subscription(session, models.Account, ids)
    return [_build_item(row, registrations.get(row.id), accounts.get(row.id)) for row in rows]


def _build_item(row: Row[Any], registration: Row[Any] | None, account: Row[Any] | None) -> Item:
    told = payload.build(row, registration, account)
    return Item(
        subscription=told.subscription,
        registration=told.registration,
        account=told.account,
        changed_at=row.changed_at,
    )


def _rows_by_subscription(
    session: Session, model: type[models.Registration | models.Account], ids: Sequence[UUID]
) -> dict[UUID, Row[Any]]:
    found = session.execute(select(model.__table__).where(model.subscription_id.in_(ids)))
    return {row.subscription_id: row for row in found}
