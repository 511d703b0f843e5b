"""What an operator asks about the outbox: what waits, what failed and why, and to have it sent again."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, exists, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query, transaction
from app.models import OutboxMessage, Registration
from app.services.outbox import announce, queue
from app.services.purchases import subscriptions

SELECTED_COLUMNS = (
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
MAIL_COLUMNS = (OutboxMessage.provider_id, OutboxMessage.bounced_at, OutboxMessage.bounce)
# What became of it the last time is not what becomes of it this time.
RESET_VALUES: dict[str, Any] = {
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
) -> list[RowDict]:
    """Return the hand-offs that match every filter given, newest first."""
    lane = queue.handoff_lane(product_code) if product_code else None
    wanted = _conditions(outcome, subscription_id, {OutboxMessage.lane: lane})
    return rows.fetch_all(
        session, _select_newest(*SELECTED_COLUMNS).where(OutboxMessage.lane != queue.MAIL_LANE, *wanted).limit(limit)
    )


@query
def mails(
    session: Session, *, limit: int, outcome: str | None = None, subscription_id: UUID | None = None
) -> list[RowDict]:
    """Return the mails that match every filter given, newest first."""
    wanted = _conditions(outcome, subscription_id, {OutboxMessage.lane: queue.MAIL_LANE})
    return rows.fetch_all(session, _select_newest(*SELECTED_COLUMNS, *MAIL_COLUMNS).where(*wanted).limit(limit))


@query
def find(session: Session, message_id: UUID) -> RowDict | None:
    """Return one hand-off or mail with all that is kept of it."""
    found = select(*SELECTED_COLUMNS, OutboxMessage.due_since, *MAIL_COLUMNS, OutboxMessage.payload)
    return next(iter(rows.fetch_all(session, found.where(OutboxMessage.id == message_id))), None)


@query
def failed_handoff_ids(session: Session, product_codes: Iterable[str]) -> Sequence[UUID]:
    """Return the ids of these products' hand-offs that failed, oldest first."""
    lanes = [queue.handoff_lane(code) for code in product_codes]
    found = select(OutboxMessage.id).where(OutboxMessage.outcome == "failed", OutboxMessage.lane.in_(lanes))
    return session.scalars(found.order_by(OutboxMessage.id)).all()


@transaction
def resend(connection: Connection, message_id: UUID) -> bool:
    """Let a settled hand-off or mail go out once more, in its place among those of its subscription.

    One that waits for its next try has it now. Returns False where there is none, where it waits behind another, or
    where what it told of was erased.
    """
    known = select(OutboxMessage.subscription_id).where(OutboxMessage.id == message_id)
    if subscription_id := connection.execute(known).scalar_one_or_none():
        subscriptions.lock(connection, subscription_id)
    now = datetime.now(UTC)
    may_go = OutboxMessage.outcome.in_(["failed", "delivered"]) | OutboxMessage.next_try_at.is_not(None)
    wanted = (OutboxMessage.id == message_id, may_go)
    again = (
        update(OutboxMessage)
        .where(*wanted, ~_is_person_erased())
        .values(**RESET_VALUES, due_since=now, next_try_at=now)
    )
    row = connection.execute(again.returning(OutboxMessage.subscription_id)).one_or_none()
    if row and row.subscription_id:
        # It may have been merged into another meanwhile.
        subscriptions.lock(connection, row.subscription_id)
        queue.reorder(connection, row.subscription_id)
    return row is not None


def _is_person_erased() -> ColumnElement[bool]:
    # As when an erasure cancels what waits: without the person there is nothing to say.
    is_about_person = (OutboxMessage.lane == queue.MAIL_LANE) | OutboxMessage.type.in_(announce.REGISTRATION_TYPES)
    is_there = exists().where(Registration.id == OutboxMessage.registration_id)
    return is_about_person & OutboxMessage.registration_id.is_not(None) & ~is_there


def _select_newest(*columns: InstrumentedAttribute[Any]) -> Select[Any]:
    return select(*columns).order_by(OutboxMessage.id.desc())


def _conditions(
    outcome: str | None, subscription_id: UUID | None, other_filters: dict[InstrumentedAttribute[Any], object]
) -> list[ColumnElement[bool]]:
    named = {OutboxMessage.outcome: outcome, OutboxMessage.subscription_id: subscription_id}
    return rows.filter_conditions({**named, **other_filters})
