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
from app.models import Instant
from app.services.api import cursors
from app.services.api.cursors import Cursor, Position
from app.services.outbox import payload
from app.services.outbox.payload import Document, Moment

SETTLES_WITHIN = timedelta(seconds=60)
TABLE = models.Subscription.__table__


class Item(Document):
    """All that is told of one subscription, and when it last changed."""

    subscription: payload.Subscription
    registration: payload.Registration | None
    account: payload.Account
    changed_at: Moment


class Page(Document):
    """Some of the subscriptions. `more`: there are more at once; else the cursor is good for what changes later."""

    items: list[Item]
    cursor: str
    more: bool


@dataclass(frozen=True)
class Wanted:
    """Which subscriptions somebody asks for. `product_codes` are all they may see; None: every product."""

    product_codes: frozenset[str] | None = None
    product_code: str | None = None
    status: str | None = None
    customer_aws_account_id: str | None = None
    registered: bool = False


@query
def page(session: Session, wanted: Wanted, after: Cursor, limit: int, now: datetime) -> Page:
    """Return the next subscriptions after the cursor, at most so many, in the order in which they last changed."""
    rows = session.execute(walk(wanted, after.read).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    last = Position(rows[-1].changed_at, rows[-1].id) if rows else after.read
    cursor = _following(after, last, now, more=more)
    return Page(items=_items(session, rows), cursor=cursors.spelt(cursor), more=more)


def walk(wanted: Wanted, after: Position) -> Select[Any]:
    """Return the statement that finds what is wanted after that place."""
    place = tuple_(TABLE.c.changed_at, TABLE.c.id) > tuple_(literal(after.changed_at, Instant), literal(after.id, Uuid))
    return _subscriptions(wanted).where(place).order_by(TABLE.c.changed_at, TABLE.c.id)


@query
def subscription(session: Session, wanted: Wanted, subscription_id: UUID) -> Item | None:
    """Return the subscription that has the id, or had it before it turned out to be the same as another."""
    of_that_id = _subscriptions(wanted).where(TABLE.c.id == subscription_id)
    # An id is the same text in every JSON, and holds nothing that LIKE takes for more.
    merged = cast(TABLE.c.former_ids, String).like(f'%"{subscription_id}"%')
    is_merged = _subscriptions(wanted).where(text(models.MERGED), merged)
    rows = session.execute(of_that_id).all() or session.execute(is_merged).all()
    return next(iter(_items(session, rows)), None)


@query
def registration(session: Session, wanted: Wanted, registration_id: UUID) -> Item | None:
    """Return the subscription whose registration has the id; None where that still waits for its purchase."""
    registered = _subscriptions(replace(wanted, registered=True))
    rows = session.execute(registered.where(models.Registration.id == registration_id)).all()
    return next(iter(_items(session, rows)), None)


def _following(after: Cursor, last: Position, now: datetime, *, more: bool) -> Cursor:
    # Once something young was read, nothing settles before the walk has come to its end.
    settled = after.settled
    if settled == after.read:
        settled = max(settled, min(last, Position(now - SETTLES_WITHIN, cursors.FIRST_ID)))
    return Cursor(last if more else settled, settled)


def _subscriptions(wanted: Wanted) -> Select[Any]:
    statement = select(TABLE).where(*_conditions(wanted))
    if not wanted.registered:
        return statement
    return statement.join(models.Registration, models.Registration.subscription_id == TABLE.c.id)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = database_rows.equal(
        {
            models.Subscription.product_code: wanted.product_code,
            models.Subscription.status: wanted.status,
            models.Subscription.customer_aws_account_id: wanted.customer_aws_account_id,
        }
    )
    if wanted.product_codes is not None:
        conditions.append(models.Subscription.product_code.in_(wanted.product_codes))
    return conditions


def _items(session: Session, rows: Sequence[Row[Any]]) -> list[Item]:
    ids = [row.id for row in rows]
    registrations = _by_subscription(session, models.Registration, ids)
    accounts = _by_subscription(session, models.Account, ids)
    return [_item(row, registrations.get(row.id), accounts.get(row.id)) for row in rows]


def _item(row: Row[Any], registration: Row[Any] | None, account: Row[Any] | None) -> Item:
    told = payload.told(row, registration, account)
    return Item(
        subscription=told.subscription,
        registration=told.registration,
        account=told.account,
        changed_at=row.changed_at,
    )


def _by_subscription(
    session: Session, model: type[models.Registration | models.Account], ids: Sequence[UUID]
) -> dict[UUID, Row[Any]]:
    found = session.execute(select(model.__table__).where(model.subscription_id.in_(ids)))
    return {row.subscription_id: row for row in found}
