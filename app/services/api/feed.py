"""The feed: subscriptions in the order in which they last changed, page by page; and single ones by id.

A transaction that began earlier may commit later: its row would appear before rows that clients have read. So each
change has the number of its transaction, and the feed ends before the oldest transaction that is still open:

    transaction   7   8   9   10              a client that asks now reads 7 and 8, and is told of 9 and 10
                  ✓   ✓  open  ✓              once 9 has ended, however long that takes
                       └ end of the feed

On SQLite, changes have the numbers of a counter. Its transactions write one after the other, so none commits late.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    Uuid,
    bindparam,
    func,
    literal,
    select,
    text,
    tuple_,
)

from app import models
from app.database import rows as database_rows
from app.database.transactions import query
from app.models.purchases import HAS_FORMER_ID
from app.services.api import cursors
from app.services.api.cursors import Cursor
from app.services.outbox import payload
from app.services.outbox.payload import StoredRows, SubscriptionSnapshot
from app.services.outbox.payload_part import PayloadPart

SELECT_EPOCH_AND_END = select(models.Feed.epoch, models.Feed.last_number + 1)
# The number before which no transaction of PostgreSQL is open any more.
SELECT_POSTGRESQL_END = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")
SUBSCRIPTIONS = models.Subscription.__table__
SELECT_LAST_NUMBER = select(func.coalesce(func.max(SUBSCRIPTIONS.c.change_number), 0)).where(
    SUBSCRIPTIONS.c.change_number < bindparam("end", type_=BigInteger)
)
EVERY_SUBSCRIPTION = select(SUBSCRIPTIONS)
REGISTERED_SUBSCRIPTIONS = EVERY_SUBSCRIPTION.join(
    models.Registration, models.Registration.subscription_id == SUBSCRIPTIONS.c.id
)
HAS_ID = SUBSCRIPTIONS.c.id == bindparam("subscription_id", type_=Uuid)
HAS_REGISTRATION_ID = models.Registration.id == bindparam("registration_id", type_=Uuid)
IDS = bindparam("ids", type_=Uuid, expanding=True)
REGISTRATIONS = select(models.Registration.__table__).where(models.Registration.subscription_id.in_(IDS))
ACCOUNTS = select(models.Account.__table__).where(models.Account.subscription_id.in_(IDS))


@dataclass(frozen=True)
class Item(SubscriptionSnapshot):
    """One subscription with its registration and account, and when any of them last changed."""

    changed_at: datetime


@dataclass(frozen=True)
class Page(PayloadPart):
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
def page(connection: Connection, filters: Filters, after: Cursor, limit: int) -> Page:
    """Return the next `limit` subscriptions after the cursor, in the order in which they last changed.

    A cursor from before a backup was restored is like none: the feed begins again.
    """
    # Read before the rows: what is before the end is then complete.
    epoch, end = epoch_and_end(connection)
    if after.epoch != epoch or after.number >= end:
        after = cursors.INITIAL
    rows = connection.execute(select_between(filters, after, end).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    last = Cursor(epoch, rows[-1].change_number, rows[-1].id) if more else _end_of_feed(connection, epoch, after, end)
    return Page(items=_load_items(connection, rows), cursor=cursors.encode(last), more=more)


def _end_of_feed(connection: Connection, epoch: UUID, after: Cursor, end: int) -> Cursor:
    """Return the cursor after the last change.

    Not after `end - 1`: PostgreSQL forgets the numbers of transactions that left nothing if it crashes, and gives them
    to others. That of a stored change it never gives again.
    """
    last_number = connection.execute(SELECT_LAST_NUMBER, {"end": end}).scalar_one()
    return max(replace(after, epoch=epoch), Cursor(epoch, last_number, cursors.MAX_ID), key=lambda c: (c.number, c.id))


def epoch_and_end(connection: Connection) -> tuple[UUID, int]:
    """Return the history that the numbers belong to, and the number before which the feed is complete."""
    epoch, end = connection.execute(SELECT_EPOCH_AND_END).one()
    if not is_counted(connection):
        end = connection.execute(SELECT_POSTGRESQL_END).scalar_one()
    return epoch, end


def is_counted(connection: Connection) -> bool:
    """Return whether changes are numbered by a counter, not by their transactions."""
    return connection.dialect.name == "sqlite"


def select_between(filters: Filters, after: Cursor, end: int) -> Select[Any]:
    """Return the statement that selects the subscriptions after the cursor and before the end, in the feed's order."""
    number, row_id = SUBSCRIPTIONS.c.change_number, SUBSCRIPTIONS.c.id
    is_after = tuple_(number, row_id) > tuple_(literal(after.number, BigInteger), literal(after.id, Uuid))
    return _select_subscriptions(filters).where(is_after, number < end).order_by(number, row_id)


@query
def find_subscription(connection: Connection, filters: Filters, subscription_id: UUID) -> Item | None:
    """Return the subscription with the id, or the one that a subscription with this id was merged into."""
    subscriptions = _select_subscriptions(filters)
    rows = connection.execute(subscriptions.where(HAS_ID), {"subscription_id": subscription_id}).all()
    if not rows:
        rows = connection.execute(subscriptions.where(HAS_FORMER_ID), {"former_id": str(subscription_id)}).all()
    return next(iter(_load_items(connection, rows)), None)


@query
def find_by_registration(connection: Connection, filters: Filters, registration_id: UUID) -> Item | None:
    """Return the subscription that has the registration; None while the registration waits for its purchase."""
    subscriptions = _select_subscriptions(replace(filters, registered=True))
    rows = connection.execute(subscriptions.where(HAS_REGISTRATION_ID), {"registration_id": registration_id}).all()
    return next(iter(_load_items(connection, rows)), None)


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


def _load_items(connection: Connection, rows: Sequence[Row[Any]]) -> list[Item]:
    ids = [row.id for row in rows]
    registrations = _rows_by_subscription(connection, REGISTRATIONS, ids)
    accounts = _rows_by_subscription(connection, ACCOUNTS, ids)
    snapshots = [payload.build(StoredRows(row, registrations.get(row.id), accounts.get(row.id))) for row in rows]
    return [Item(**vars(snapshot), changed_at=row.changed_at) for row, snapshot in zip(rows, snapshots, strict=True)]


def _rows_by_subscription(connection: Connection, statement: Select[Any], ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    return {row.subscription_id: row for row in connection.execute(statement, {"ids": ids})}
