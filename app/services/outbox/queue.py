"""The outbox: hand-offs and mails, stored in the transaction of the change that they announce and sent by the worker.

Ordering rule: per subscription only the first undelivered hand-off has `next_try_at`. Those after it have none, so that
no worker claims them. When it is settled (delivered, failed or cancelled), the next one gets its time. For example:

                                       1 registration.completed   2 subscription.activated   3 subscription.ended
    a buyer signs up                   due now
    AWS confirms, then ends it         due now                    no time                    no time
    worker A claims 1                  due when A's lease ends    no time                    no time
    the product replies 503            due in 1 to 2 seconds      no time                    no time
    the product replies 200            delivered                  due now                    no time
    2 fails for three days             delivered                  failed                     due now
    an operator sends 2 again          delivered                  due now                    no time

Lock the subscription before you change its hand-offs; otherwise two transactions make two of them due, and the product
may get them in the wrong order. A mail has no sequence: it is due at once and waits for no other message.

Each message is in a lane, `mail` or `handoff/` with the product code: a product that is down delays no other lane. A
worker claims the message that has been due for longest, under a lease (`app.database.leases`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, case, func, insert, select, text, update

from app.database import clock, leases
from app.database.rows import RowDict
from app.database.transactions import transaction
from app.models import OutboxMessage, UtcDateTime
from app.services.purchases import subscriptions

MAIL_LANE = "mail"
HANDOFF_LANE_PREFIX = "handoff/"
# Longer than any delivery takes, so that no second worker sends the message meanwhile.
LEASE = timedelta(seconds=30)
RETRY_WINDOW = timedelta(days=3)
CLAIM = leases.claim_statement(
    OutboxMessage.__table__,
    "next_try_at",
    # The retry window begins with the first try, also where no worker ran before or the product had no endpoint.
    # A worker that dies leaves its try unsure.
    updates={
        "tries": "tries + 1",
        "unsure_tries": "unsure_tries + 1",
        "due_since": "CASE tries WHEN 0 THEN :now ELSE due_since END",
    },
    condition="lane = :lane",
)
RESCHEDULE = update(OutboxMessage).where(leases.is_leased(OutboxMessage.id, OutboxMessage.next_try_at))
SETTLE = (
    update(OutboxMessage)
    .where(OutboxMessage.id == bindparam("settled_id"), OutboxMessage.outcome == "waiting")
    .returning(OutboxMessage.subscription_id)
)
INSERT = insert(OutboxMessage)
IS_OF_SUBSCRIPTION = OutboxMessage.subscription_id == bindparam("subscription")
LATEST_UNCANCELLED_HANDOFF = (
    select(OutboxMessage.outcome, OutboxMessage.sequence, OutboxMessage.created_at, OutboxMessage.payload)
    .where(IS_OF_SUBSCRIPTION, OutboxMessage.sequence.is_not(None), OutboxMessage.outcome != "cancelled")
    .order_by(OutboxMessage.sequence.desc())
    .limit(1)
)
NEXT_TURN = select(
    (func.coalesce(func.max(OutboxMessage.sequence), 0) + 1).label("sequence"),
    func.count(case((OutboxMessage.outcome == "waiting", 1))).label("waiting"),
).where(IS_OF_SUBSCRIPTION, OutboxMessage.sequence.is_not(None))
FIRST_WAITING = (
    "SELECT id FROM outbox WHERE subscription_id = :subscription AND sequence IS NOT NULL AND outcome = 'waiting'"
    " ORDER BY sequence LIMIT 1"
)
RELEASE_NEXT = text(
    f"UPDATE outbox SET next_try_at = :now, due_since = :now WHERE id = ({FIRST_WAITING}) AND next_try_at IS NULL"  # noqa: S608
).bindparams(bindparam("now", type_=UtcDateTime), bindparam("subscription", type_=Uuid))
UNSCHEDULE_REST = text(
    "UPDATE outbox SET next_try_at = NULL WHERE subscription_id = :subscription AND sequence IS NOT NULL"  # noqa: S608
    f" AND outcome = 'waiting' AND next_try_at IS NOT NULL AND id <> ({FIRST_WAITING})"
).bindparams(bindparam("subscription", type_=Uuid))


@dataclass(frozen=True)
class ClaimedMessage:
    """A message that only this worker sends until the lease ends."""

    id: UUID
    type: str
    subscription_id: UUID | None
    registration_id: UUID | None
    payload: dict[str, Any]
    created_at: datetime
    due_since: datetime
    tries: int
    unsure_tries: int
    lease: leases.Lease


def handoff_lane(product_code: str) -> str:
    """Return the lane of a product's hand-offs."""
    return f"{HANDOFF_LANE_PREFIX}{product_code}"


def next_handoff(
    connection: Connection, lane: str, subscription_id: UUID, registration_id: UUID | None, payload: dict[str, Any]
) -> RowDict:
    """Return a hand-off to enqueue after the subscription's others; the caller has locked the subscription.

    Its sequence becomes `payload["data"]["sequence"]`.
    """
    sequence, waiting = connection.execute(NEXT_TURN, {"subscription": subscription_id}).one()
    payload = {**payload, "data": {"sequence": sequence, **payload["data"]}}
    row = {"lane": lane, "type": payload["type"], "sequence": sequence, "payload": payload}
    ids = {"subscription_id": subscription_id, "registration_id": registration_id}
    now = clock.now()
    times = dict.fromkeys(("next_try_at", "due_since"), None if waiting else now)
    if waiting:
        # An erasure or a merge may have left the first of them without a time.
        release_next(connection, subscription_id)
    return {**row, **ids, **times, "created_at": now}


def new_mail(
    template: str,
    *,
    subscription_id: UUID | None = None,
    registration_id: UUID | None = None,
    payload: Mapping[str, Any] | None = None,
) -> RowDict:
    """Return a mail to enqueue, due at once; its text is written from the database when it is sent."""
    row = {"lane": MAIL_LANE, "type": template, "sequence": None, "payload": dict(payload or {})}
    ids = {"subscription_id": subscription_id, "registration_id": registration_id}
    return {**row, **ids, **dict.fromkeys(("created_at", "next_try_at", "due_since"), clock.now())}


def enqueue(connection: Connection, messages: Sequence[RowDict]) -> None:
    """Store hand-offs and mails, in the caller's transaction."""
    if messages:
        connection.execute(INSERT, messages)


def release_next(connection: Connection, *subscription_ids: UUID) -> None:
    """Make the first waiting hand-off of each subscription due now, unless it has a time already."""
    now = clock.now()
    connection.execute(
        RELEASE_NEXT, [{"subscription": subscription_id, "now": now} for subscription_id in subscription_ids]
    )


def reorder(connection: Connection, subscription_id: UUID) -> None:
    """Leave a time only with the first waiting hand-off, after one was sent again or a merge added others."""
    connection.execute(UNSCHEDULE_REST, {"subscription": subscription_id})
    release_next(connection, subscription_id)


@transaction
def claim(connection: Connection, lane: str) -> ClaimedMessage | None:
    """Claim the message of the lane that has been due for longest; return None where none is due."""
    claimed = leases.claim(connection, CLAIM, LEASE, lane=lane)
    if claimed is None:
        return None
    lease, row = claimed
    columns = {field.name for field in fields(ClaimedMessage)} - {"lease"}
    return ClaimedMessage(lease=lease, **{name: getattr(row, name) for name in columns})


def settle(connection: Connection, /, claimed: ClaimedMessage, outcome: str, **values: object) -> UUID | None:
    """Settle the message and release the subscription's next hand-off, within the caller's transaction.

    Returns the id of its subscription by now; None where it has none, or where another worker settled it.
    """
    if claimed.subscription_id:
        subscriptions.lock(connection, claimed.subscription_id)
    settled = {"outcome": outcome, "settled_at": clock.now(), "next_try_at": None, **values}
    row = connection.execute(SETTLE, {"settled_id": claimed.id, **settled}).one_or_none()
    if row is None or row.subscription_id is None:
        return None
    subscription_id: UUID = row.subscription_id
    if subscription_id != claimed.subscription_id:
        # The subscription was merged into another since the claim.
        subscriptions.lock(connection, subscription_id)
    release_next(connection, subscription_id)
    return subscription_id


@transaction
def reschedule(
    connection: Connection, /, claimed: ClaimedMessage, delay_seconds: float, fault: str, **values: object
) -> bool:
    """Make the message due again after the delay; return False where the three days to retry are over.

    Changes nothing where the lease has ended, or where an earlier hand-off was sent again meanwhile.
    """
    now = clock.now()
    if now - claimed.due_since >= RETRY_WINDOW:
        return False
    next_try = {"next_try_at": now + timedelta(seconds=delay_seconds), "fault": fault}
    connection.execute(RESCHEDULE, {**claimed.lease.parameters, **next_try, **values})
    return True
