"""The outbox: hand-offs and mails, promised in the transaction that changed something, and what became of them.

The hand-offs of one subscription go out in their order: only the first that is not settled has a time for its next try,
and whoever settles it gives the next one its turn. Mails wait for nobody.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    Row,
    Uuid,
    bindparam,
    exists,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session
from uuid_utils.compat import uuid7

from app.database.transactions import transaction
from app.models import Instant, OutboxMessage
from app.services.purchases import subscriptions

MAIL = "mail"
HANDOFF = "handoff/"
# Longer than any delivery takes: nobody else sends the same one meanwhile, and after a kill somebody does.
LEASE = timedelta(seconds=30)
TRIED_FOR = timedelta(days=3)
CLAIM = (
    text(
        # It is tried for so long from the first try on, also where no worker ran before, or its product had no address.
        "UPDATE outbox SET next_try_at = :lease, tries = tries + 1,"
        " due_since = CASE tries WHEN 0 THEN :now ELSE due_since END WHERE next_try_at <= :now AND id ="
        " (SELECT id FROM outbox WHERE lane = :lane AND next_try_at <= :now ORDER BY next_try_at LIMIT 1) RETURNING id"
    )
    .bindparams(bindparam("now", type_=Instant), bindparam("lease", type_=Instant))
    .columns(OutboxMessage.__table__.c.id)
)
FIRST = (
    "SELECT id FROM outbox WHERE subscription_id = :subscription AND sequence IS NOT NULL AND outcome = 'waiting'"
    " ORDER BY sequence LIMIT 1"
)
# Whoever writes these holds the subscription, so that its hand-offs are one line.
GIVE_TURN = text(
    f"UPDATE outbox SET next_try_at = :now, due_since = :now WHERE id = ({FIRST}) AND next_try_at IS NULL"  # noqa: S608
).bindparams(bindparam("now", type_=Instant), bindparam("subscription", type_=Uuid))
TAKE_TURNS = text(
    "UPDATE outbox SET next_try_at = NULL WHERE subscription_id = :subscription AND sequence IS NOT NULL"  # noqa: S608
    f" AND outcome = 'waiting' AND next_try_at IS NOT NULL AND id <> ({FIRST})"
).bindparams(bindparam("subscription", type_=Uuid))


@dataclass(frozen=True)
class Claimed:
    """A message that is this worker's to send until its lease ends."""

    id: UUID
    type: str
    subscription_id: UUID | None
    registration_id: UUID | None
    payload: dict[str, Any]
    created_at: datetime
    due_since: datetime
    tries: int
    lease: datetime


def lane(product_code: str) -> str:
    """Return the lane of a product's hand-offs."""
    return f"{HANDOFF}{product_code}"


def product_of(lane_: str) -> str:
    """Return the product code of a lane of hand-offs."""
    return lane_.removeprefix(HANDOFF)


def put_handoff(
    connection: Connection, lane_: str, subscription_id: UUID, registration_id: UUID | None, payload: dict[str, Any]
) -> UUID:
    """Promise a hand-off, within the transaction of a caller who holds the subscription, and return its id.

    Its place in the subscription's line becomes `payload["data"]["sequence"]`.
    """
    of_it = select(func.max(OutboxMessage.sequence)).where(OutboxMessage.subscription_id == subscription_id)
    sequence = (connection.execute(of_it).scalar() or 0) + 1
    row = {
        **_row(lane_, payload["type"], subscription_id, registration_id),
        "sequence": sequence,
        "payload": {**payload, "data": {"sequence": sequence, **payload["data"]}},
    }
    connection.execute(insert(OutboxMessage).values(**row))
    give_turn(connection, subscription_id)
    return UUID(str(row["id"]))


def put_mail(
    connection: Connection,
    name: str,
    *,
    subscription_id: UUID | None = None,
    registration_id: UUID | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Promise a mail, within the caller's transaction; what is in it is looked up when it goes out."""
    row = _row(MAIL, name, subscription_id, registration_id)
    now = row["created_at"]
    connection.execute(insert(OutboxMessage).values(**row, payload=dict(about or {}), next_try_at=now, due_since=now))


def is_told_of(subscription_id: InstrumentedAttribute[UUID]) -> Exists:
    """Return the condition that something of the subscription was ever handed off, or is to be."""
    return exists().where(OutboxMessage.subscription_id == subscription_id, OutboxMessage.sequence.is_not(None))


def latest_of(database: Connection | Session, registration_id: UUID, *which: ColumnElement[bool]) -> Row[Any] | None:
    """Return the last in line of the hand-offs that tell of the registration and are such."""
    return _latest(database, OutboxMessage.registration_id == registration_id, *which)


def last_told(connection: Connection, subscription_id: UUID) -> Row[Any] | None:
    """Return the last in line of the subscription's hand-offs that was not taken back."""
    of_it = OutboxMessage.subscription_id == subscription_id
    return _latest(connection, of_it, OutboxMessage.outcome != "cancelled")


def _latest(database: Connection | Session, *which: ColumnElement[bool]) -> Row[Any] | None:
    columns = (OutboxMessage.outcome, OutboxMessage.sequence, OutboxMessage.created_at, OutboxMessage.payload)
    found = select(*columns).where(OutboxMessage.sequence.is_not(None), *which)
    return database.execute(found.order_by(OutboxMessage.sequence.desc()).limit(1)).one_or_none()


def give_turn(connection: Connection, subscription_id: UUID) -> None:
    """Let the first of the subscription's hand-offs that is not settled go out, if it waited its turn."""
    connection.execute(GIVE_TURN, {"subscription": subscription_id, "now": datetime.now(UTC)})


def line_up(connection: Connection, subscription_id: UUID) -> None:
    """Let none of the subscription's hand-offs go out but the first, after one came back or others joined it."""
    connection.execute(TAKE_TURNS, {"subscription": subscription_id})
    give_turn(connection, subscription_id)


@transaction
def claim(connection: Connection, lane_: str, now: datetime) -> Claimed | None:
    """Return the message of the lane that has been due for longest, this worker's alone until its lease ends."""
    lease = now + LEASE
    message_id = connection.execute(CLAIM, {"lane": lane_, "now": now, "lease": lease}).scalar_one_or_none()
    if message_id is None:
        return None
    row = connection.execute(select(OutboxMessage.__table__).where(OutboxMessage.id == message_id)).one()
    return Claimed(
        row.id,
        row.type,
        row.subscription_id,
        row.registration_id,
        row.payload,
        row.created_at,
        row.due_since,
        row.tries,
        lease,
    )


def settle(connection: Connection, claimed: Claimed, outcome: str, **values: object) -> UUID | None:
    """Settle the message and give the next one its turn, within the caller's transaction.

    Returns its subscription's id as it is now; None where it has none, or where somebody else settled it since.
    """
    if claimed.subscription_id:
        subscriptions.hold(connection, claimed.subscription_id)
    mine = (OutboxMessage.id == claimed.id, OutboxMessage.outcome == "waiting")
    settled = {"outcome": outcome, "settled_at": datetime.now(UTC), "next_try_at": None, **values}
    done = update(OutboxMessage).where(*mine).values(**settled).returning(OutboxMessage.subscription_id)
    row = connection.execute(done).one_or_none()
    if row is None or row.subscription_id is None:
        return None
    if row.subscription_id != claimed.subscription_id:
        # It was merged into another meanwhile.
        subscriptions.hold(connection, row.subscription_id)
    give_turn(connection, row.subscription_id)
    subscription_id: UUID = row.subscription_id
    return subscription_id


def put_off(claimed: Claimed, pause_seconds: float, fault: str) -> bool:
    """Let the message come up again after the pause; return False where it has been tried for three days by now.

    Raises:
        DatabaseUnavailable: it comes up again once its lease is over.
    """
    now = datetime.now(UTC)
    if now - claimed.due_since >= TRIED_FOR:
        return False
    postpone(claimed, now + timedelta(seconds=pause_seconds), fault)
    return True


def growing_pause(tries: int, first_seconds: float, longest_seconds: float) -> float:
    """Return after how many seconds the next try comes: longer from try to try, and never all of them together."""
    longest = min(first_seconds * 2 ** min(tries, 20), longest_seconds)
    return random.uniform(longest / 2, longest)  # noqa: S311


@transaction
def postpone(connection: Connection, claimed: Claimed, until: datetime, fault: str) -> None:
    """Let the message come up again then, unless its lease ended or it lost its turn meanwhile."""
    mine = (OutboxMessage.id == claimed.id, OutboxMessage.next_try_at == claimed.lease)
    connection.execute(update(OutboxMessage).where(*mine).values(next_try_at=until, fault=fault))


def _row(lane_: str, type_: str, subscription_id: UUID | None, registration_id: UUID | None) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "lane": lane_,
        "type": type_,
        "subscription_id": subscription_id,
        "registration_id": registration_id,
        "created_at": datetime.now(UTC),
        "outcome": "waiting",
        "tries": 0,
    }
