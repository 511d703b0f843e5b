"""What an operator asks about the outbox: what waits, what failed and why, and to have it sent again."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, exists, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.database import rows
from app.database.rows import Row
from app.database.transactions import query, transaction
from app.models import OutboxMessage, Registration
from app.services.outbox import announce, queue
from app.services.purchases import subscriptions

SHOWN = (
    OutboxMessage.id,
    OutboxMessage.created_at,
    OutboxMessage.type,
    OutboxMessage.outcome,
    OutboxMessage.tries,
    OutboxMessage.fault,
    OutboxMessage.next_try_at,
    OutboxMessage.settled_at,
    OutboxMessage.lane,
    OutboxMessage.sequence,
    OutboxMessage.subscription_id,
    OutboxMessage.registration_id,
)
OF_MAIL = (OutboxMessage.provider_id, OutboxMessage.bounced_at, OutboxMessage.bounce)
# What became of it the last time is not what becomes of it this time.
ANEW: dict[str, Any] = {
    "outcome": "waiting",
    "settled_at": None,
    "tries": 0,
    "provider_id": None,
    "bounced_at": None,
    "bounce": None,
}


@query
def handoffs(
    session: Session,
    *,
    limit: int,
    outcome: str | None = None,
    product_code: str | None = None,
    subscription_id: UUID | None = None,
) -> list[Row]:
    """Return the hand-offs that match every filter given, newest first."""
    lane = queue.lane(product_code) if product_code else None
    wanted = _equal(outcome, subscription_id, {OutboxMessage.lane: lane})
    return rows.rows(session, _newest(*SHOWN).where(OutboxMessage.lane != queue.MAIL, *wanted).limit(limit))


@query
def mails(
    session: Session, *, limit: int, outcome: str | None = None, subscription_id: UUID | None = None
) -> list[Row]:
    """Return the mails that match every filter given, newest first."""
    wanted = _equal(outcome, subscription_id, {OutboxMessage.lane: queue.MAIL})
    return rows.rows(session, _newest(*SHOWN, *OF_MAIL).where(*wanted).limit(limit))


@query
def of_id(session: Session, message_id: UUID) -> Row | None:
    """Return one hand-off or mail with all that is kept of it."""
    found = select(*SHOWN, OutboxMessage.due_since, *OF_MAIL, OutboxMessage.payload)
    return next(iter(rows.rows(session, found.where(OutboxMessage.id == message_id))), None)


@query
def failed(session: Session, product_codes: Iterable[str]) -> Sequence[UUID]:
    """Return the ids of these products' hand-offs that failed, oldest first."""
    lanes = [queue.lane(code) for code in product_codes]
    found = select(OutboxMessage.id).where(OutboxMessage.outcome == "failed", OutboxMessage.lane.in_(lanes))
    return session.scalars(found.order_by(OutboxMessage.id)).all()


@transaction
def send_again(connection: Connection, message_id: UUID) -> bool:
    """Let a settled hand-off or mail go out once more, in its place among those of its subscription.

    One that waits for its next try has it now. Returns False where there is none, where it waits behind another, or
    where what it told of was erased.
    """
    known = select(OutboxMessage.subscription_id).where(OutboxMessage.id == message_id)
    if subscription_id := connection.execute(known).scalar_one_or_none():
        subscriptions.hold(connection, subscription_id)
    now = datetime.now(UTC)
    may_go = OutboxMessage.outcome.in_(["failed", "delivered"]) | OutboxMessage.next_try_at.is_not(None)
    wanted = (OutboxMessage.id == message_id, may_go)
    again = update(OutboxMessage).where(*wanted, ~_is_about_erased()).values(**ANEW, due_since=now, next_try_at=now)
    row = connection.execute(again.returning(OutboxMessage.subscription_id)).one_or_none()
    if row and row.subscription_id:
        # It may have been merged into another meanwhile.
        subscriptions.hold(connection, row.subscription_id)
        queue.line_up(connection, row.subscription_id)
    return row is not None


def _is_about_erased() -> ColumnElement[bool]:
    # As when an erasure cancels what waits: without the person there is nothing to say.
    is_about_person = (OutboxMessage.lane == queue.MAIL) | OutboxMessage.type.in_(announce.OF_REGISTRATION)
    is_there = exists().where(Registration.id == OutboxMessage.registration_id)
    return is_about_person & OutboxMessage.registration_id.is_not(None) & ~is_there


def _newest(*columns: InstrumentedAttribute[Any]) -> Select[Any]:
    return select(*columns).order_by(OutboxMessage.id.desc())


def _equal(
    outcome: str | None, subscription_id: UUID | None, others: dict[InstrumentedAttribute[Any], object]
) -> list[ColumnElement[bool]]:
    named = {OutboxMessage.outcome: outcome, OutboxMessage.subscription_id: subscription_id}
    return rows.equal({**named, **others})
