"""The outbox: hand-offs and mails, promised in the transaction that changed something, and what became of them.

The hand-offs of one subscription go out in their order: only the first that is not settled has a time for its next try,
and whoever settles it gives the next one its turn. Mails wait for nobody.
"""

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

from app.database import leases
from app.database.leases import Lease, claim_statement, is_leased
from app.database.transactions import transaction
from app.models import OutboxMessage, UtcDateTime
from app.services.purchases import subscriptions

MAIL_LANE = "mail"
HANDOFF_LANE_PREFIX = "handoff/"
# Longer than any delivery takes: nobody else sends the same one meanwhile, and after a kill somebody does.
LEASE = timedelta(seconds=30)
RETRY_WINDOW = timedelta(days=3)
CLAIM = claim_statement(
    OutboxMessage,
    "next_try_at",
    # The retry window begins with the first try, also where no worker ran before or the product had no endpoint.
    updates={"tries": "tries + 1", "due_since": "CASE tries WHEN 0 THEN :now ELSE due_since END"},
    condition="lane = :lane",
)
IS_LEASED = is_leased(OutboxMessage.id, OutboxMessage.next_try_at)
FIRST_WAITING = (
    "SELECT id FROM outbox WHERE subscription_id = :subscription AND sequence IS NOT NULL AND outcome = 'waiting'"
    " ORDER BY sequence LIMIT 1"
)
# Whoever writes these holds the subscription, so that its hand-offs are one line.
RELEASE_NEXT = text(
    f"UPDATE outbox SET next_try_at = :now, due_since = :now WHERE id = ({FIRST_WAITING}) AND next_try_at IS NULL"  # noqa: S608
).bindparams(bindparam("now", type_=UtcDateTime), bindparam("subscription", type_=Uuid))
UNSCHEDULE_REST = text(
    "UPDATE outbox SET next_try_at = NULL WHERE subscription_id = :subscription AND sequence IS NOT NULL"  # noqa: S608
    f" AND outcome = 'waiting' AND next_try_at IS NOT NULL AND id <> ({FIRST_WAITING})"
).bindparams(bindparam("subscription", type_=Uuid))


@dataclass(frozen=True)
class ClaimedMessage:
    """A message that is this worker's to send until its lease ends."""

    id: UUID
    type: str
    subscription_id: UUID | None
    registration_id: UUID | None
    payload: dict[str, Any]
    created_at: datetime
    due_since: datetime
    tries: int
    lease: Lease


def handoff_lane(product_code: str) -> str:
    """Return the lane of a product's hand-offs."""
    return f"{HANDOFF_LANE_PREFIX}{product_code}"


def product_code_of(lane: str) -> str:
    """Return the product code of a lane of hand-offs."""
    return lane.removeprefix(HANDOFF_LANE_PREFIX)


def enqueue_handoff(
    connection: Connection, lane: str, subscription_id: UUID, registration_id: UUID | None, payload: dict[str, Any]
) -> UUID:
    """Promise a hand-off, within the transaction of a caller who holds the subscription, and return its id.

    Its place in the subscription's line becomes `payload["data"]["sequence"]`.
    """
    of_it = select(func.max(OutboxMessage.sequence)).where(OutboxMessage.subscription_id == subscription_id)
    sequence = (connection.execute(of_it).scalar() or 0) + 1
    row = {
        **_message_row(lane, payload["type"], subscription_id, registration_id),
        "sequence": sequence,
        "payload": {**payload, "data": {"sequence": sequence, **payload["data"]}},
    }
    connection.execute(insert(OutboxMessage).values(**row))
    release_next(connection, subscription_id)
    return UUID(str(row["id"]))


def enqueue_mail(
    connection: Connection,
    template: str,
    *,
    subscription_id: UUID | None = None,
    registration_id: UUID | None = None,
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Promise a mail, within the caller's transaction; what is in it is looked up when it goes out."""
    row = _message_row(MAIL_LANE, template, subscription_id, registration_id)
    now = row["created_at"]
    connection.execute(insert(OutboxMessage).values(**row, payload=dict(payload or {}), next_try_at=now, due_since=now))


def has_handoff(subscription_id: InstrumentedAttribute[UUID]) -> Exists:
    """Return the condition that something of the subscription was ever handed off, or is to be."""
    return exists().where(OutboxMessage.subscription_id == subscription_id, OutboxMessage.sequence.is_not(None))


def latest_handoff(
    database: Connection | Session, registration_id: UUID, *conditions: ColumnElement[bool]
) -> Row[Any] | None:
    """Return the last in line of the hand-offs that tell of the registration and are such."""
    return _latest_handoff(database, OutboxMessage.registration_id == registration_id, *conditions)


def latest_uncancelled_handoff(connection: Connection, subscription_id: UUID) -> Row[Any] | None:
    """Return the last in line of the subscription's hand-offs that was not taken back."""
    of_it = OutboxMessage.subscription_id == subscription_id
    return _latest_handoff(connection, of_it, OutboxMessage.outcome != "cancelled")


def _latest_handoff(database: Connection | Session, *conditions: ColumnElement[bool]) -> Row[Any] | None:
    columns = (OutboxMessage.outcome, OutboxMessage.sequence, OutboxMessage.created_at, OutboxMessage.payload)
    found = select(*columns).where(OutboxMessage.sequence.is_not(None), *conditions)
    return database.execute(found.order_by(OutboxMessage.sequence.desc()).limit(1)).one_or_none()


def release_next(connection: Connection, subscription_id: UUID) -> None:
    """Let the first of the subscription's hand-offs that is not settled go out, if it waited its turn."""
    connection.execute(RELEASE_NEXT, {"subscription": subscription_id, "now": datetime.now(UTC)})


def reorder(connection: Connection, subscription_id: UUID) -> None:
    """Let none of the subscription's hand-offs go out but the first, after one came back or others joined it."""
    connection.execute(UNSCHEDULE_REST, {"subscription": subscription_id})
    release_next(connection, subscription_id)


@transaction
def claim(connection: Connection, lane: str, now: datetime) -> ClaimedMessage | None:
    """Return the message of the lane that has been due for longest, this worker's alone until its lease ends."""
    claimed = leases.claim(connection, CLAIM, now, LEASE, lane=lane)
    if claimed is None:
        return None
    lease, row = claimed
    return ClaimedMessage(
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


def settle(connection: Connection, claimed: ClaimedMessage, outcome: str, **values: object) -> UUID | None:
    """Settle the message and give the next one its turn, within the caller's transaction.

    Returns its subscription's id as it is now; None where it has none, or where somebody else settled it since.
    """
    if claimed.subscription_id:
        subscriptions.lock(connection, claimed.subscription_id)
    mine = (OutboxMessage.id == claimed.id, OutboxMessage.outcome == "waiting")
    settled = {"outcome": outcome, "settled_at": datetime.now(UTC), "next_try_at": None, **values}
    done = update(OutboxMessage).where(*mine).values(**settled).returning(OutboxMessage.subscription_id)
    row = connection.execute(done).one_or_none()
    if row is None or row.subscription_id is None:
        return None
    if row.subscription_id != claimed.subscription_id:
        # It was merged into another meanwhile.
        subscriptions.lock(connection, row.subscription_id)
    release_next(connection, row.subscription_id)
    subscription_id: UUID = row.subscription_id
    return subscription_id


def reschedule(claimed: ClaimedMessage, delay_seconds: float, fault: str) -> bool:
    """Let the message come up again after the pause; return False where it has been tried for three days by now.

    Raises:
        DatabaseUnavailable: it comes up again once its lease is over.
    """
    now = datetime.now(UTC)
    if now - claimed.due_since >= RETRY_WINDOW:
        return False
    set_next_try(claimed, now + timedelta(seconds=delay_seconds), fault)
    return True


@transaction
def set_next_try(connection: Connection, claimed: ClaimedMessage, next_try_at: datetime, fault: str) -> None:
    """Let the message come up again then, unless its lease ended or it lost its turn meanwhile."""
    later = update(OutboxMessage).where(IS_LEASED).values(next_try_at=next_try_at, fault=fault)
    connection.execute(later, claimed.lease.parameters)


def _message_row(lane: str, type_: str, subscription_id: UUID | None, registration_id: UUID | None) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "lane": lane,
        "type": type_,
        "subscription_id": subscription_id,
        "registration_id": registration_id,
        "created_at": datetime.now(UTC),
        "outcome": "waiting",
        "tries": 0,
    }
