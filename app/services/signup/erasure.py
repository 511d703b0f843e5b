"""Privacy: masks people, and erases them from registrations when asked to or when their time is over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.database.transactions import query, transaction
from app.models import AuditEntry, Invitation, OutboxMessage, ParkedToken, Registration, Subscription
from app.services.operations import audit
from app.services.operations.audit import ERASED, Deed
from app.services.outbox import announce, queue
from app.services.purchases.status import FINAL

log = structlog.get_logger()

RETENTION = "retention"
MASK = "•"
BATCH_ROWS = 1000


@dataclass(frozen=True)
class Erased:
    """One erasure, as the audit entry keeps it. `before`: it had been done already."""

    registration_id: UUID
    subscription_id: UUID | None
    at: datetime
    actor: str
    before: bool = False


def erase(registration_id: UUID, actor: str) -> Erased | None:
    """Erase the registration and record by whom; return None where there never was one with that id.

    Its subscription stays, and so does a token that still waits for AWS: neither holds anything of the person.
    A second time is success, and tells of the first.

    Raises:
        DatabaseUnavailable: it may or may not have been erased; a second time tells.
    """
    erased = _erase_one(registration_id, actor, datetime.now(UTC))
    if erased and not erased.before:
        _tell(erased)
    return erased


@query
def erasure(session: Session, registration_id: UUID) -> Erased | None:
    """Return when and by whom the registration was erased, if it was."""
    return _recorded(session, registration_id)


def retain(retention_days: int, now: datetime) -> int:
    """Erase every registration that is kept for longer than so many days, and return how many; 0 days keep all.

    Raises:
        DatabaseUnavailable: what was erased so far stays erased; the next time does the rest.
    """
    count = 0
    for ids in due(retention_days, now):
        erased = _erase_due(ids, now - timedelta(days=retention_days), now)
        for one in erased:
            _tell(one)
        count += len(erased)
    return count


def due(retention_days: int, now: datetime) -> Iterator[list[UUID]]:
    """Yield batches of the ids of all registrations that are kept for longer than so many days; 0 days keep all.

    The days count from the end of the purchase, or from the day AWS was given up on; and never from before the
    buyer last sent the form. Each batch is read in a short transaction of its own.
    """
    if retention_days == 0:
        return
    cutoff = now - timedelta(days=retention_days)
    looked_at = _judged_after(None, cutoff)
    while looked_at:
        if batch := [registration_id for registration_id, is_due in looked_at if is_due]:
            yield batch
        looked_at = _judged_after(looked_at[-1][0], cutoff)


@query
def _judged_after(session: Session, last_id: UUID | None, cutoff: datetime) -> list[tuple[UUID, bool]]:
    # A search for the next that is due might look through millions at once, for longer than a statement may take.
    statement = _registrations(_is_due(cutoff)).order_by(Registration.id).limit(BATCH_ROWS)
    after = statement if last_id is None else statement.where(Registration.id > last_id)
    return [(registration_id, is_due) for registration_id, is_due in session.execute(after)]


@transaction
def _erase_one(connection: Connection, registration_id: UUID, actor: str, now: datetime) -> Erased | None:
    _hold(connection, [registration_id])
    erased = _erase(connection, [registration_id], actor, now)
    return erased[0] if erased else _recorded(connection, registration_id)


@transaction
def _erase_due(connection: Connection, ids: Sequence[UUID], cutoff: datetime, now: datetime) -> list[Erased]:
    _hold(connection, ids)
    # Found without a lock, so that nobody waited for the search: meanwhile the buyer may have sent the form again.
    is_due = _is_due(cutoff)
    still = _registrations(is_due).where(Registration.id.in_(ids), is_due).order_by(Registration.id)
    return _erase(connection, connection.scalars(still.with_for_update(of=Registration)).all(), RETENTION, now)


def _hold(connection: Connection, ids: Sequence[UUID]) -> None:
    # The subscriptions first, the registrations next, as when the form is sent: two that wait for each other would be a
    # deadlock.
    theirs = select(Registration.subscription_id).where(Registration.id.in_(ids))
    held = select(Subscription.id).where(Subscription.id.in_(theirs)).order_by(Subscription.id)
    connection.execute(held.with_for_update(key_share=True))


def _erase(connection: Connection, ids: Sequence[UUID], actor: str, now: datetime) -> list[Erased]:
    deletion = delete(Registration).where(Registration.id.in_(ids))
    gone = connection.execute(deletion.returning(Registration.id, Registration.subscription_id)).all()
    erased = [Erased(row.id, row.subscription_id, now, actor) for row in gone]
    forget(connection, {one.registration_id: one.subscription_id for one in erased}, now)
    audit.record(
        connection, [Deed(one.at, ERASED, one.actor, one.registration_id, one.subscription_id) for one in erased]
    )
    return erased


def _recorded(database: Connection | Session, registration_id: UUID) -> Erased | None:
    columns = (AuditEntry.registration_id, AuditEntry.subscription_id, AuditEntry.at, AuditEntry.actor)
    entries = select(*columns).where(AuditEntry.registration_id == registration_id, AuditEntry.action == ERASED)
    latest = database.execute(entries.order_by(AuditEntry.id.desc()).limit(1)).one_or_none()
    if latest is None:
        return None
    return Erased(latest.registration_id, latest.subscription_id, latest.at, latest.actor, before=True)


def _registrations(is_due: ColumnElement[bool]) -> Select[tuple[UUID, bool]]:
    return (
        select(Registration.id, is_due)
        .outerjoin(Subscription, Subscription.id == Registration.subscription_id)
        .outerjoin(ParkedToken, ParkedToken.id == Registration.parked_token_id)
    )


def _is_due(cutoff: datetime) -> ColumnElement[bool]:
    ended = and_(
        Subscription.status.in_(FINAL), func.coalesce(Subscription.status_since, Subscription.created_at) < cutoff
    )
    return and_(or_(ended, ParkedToken.settled_at < cutoff), Registration.updated_at < cutoff)


def _tell(erased: Erased) -> None:
    subscription_id = erased.subscription_id and str(erased.subscription_id)
    log.info(ERASED, registration=str(erased.registration_id), subscription=subscription_id)


def masked_email(address: str) -> str:
    """Return the address with its name masked, so that its owner still knows it."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}{MASK * 3}@{domain}"


def forget(connection: Connection, erased: Mapping[UUID, UUID | None], now: datetime) -> None:
    """Take people out of the outbox and the invitations, within the transaction that erases their registrations.

    `erased` has each registration's subscription. What only told of a registration is not sent any more; what told of
    more is sent without it.
    """
    subscription_ids = sorted(filter(None, erased.values()))
    # Not when a retention that takes long began: who follows the changes has read on since, and would never hear of it.
    noted = update(Subscription).where(Subscription.id.in_(subscription_ids)).values(changed_at=datetime.now(UTC))
    connection.execute(noted)
    invited = update(Invitation).where(Invitation.subscription_id.in_(subscription_ids))
    connection.execute(invited.values(email=None))
    about = select(OutboxMessage.__table__).where(OutboxMessage.registration_id.in_(list(erased)))
    for message in connection.execute(about).all():
        cancelled = _cancelled(message, now)
        values = {"payload": _without_person(message.payload), **cancelled}
        connection.execute(update(OutboxMessage).where(OutboxMessage.id == message.id).values(**values))
        if message.subscription_id:
            queue.give_turn(connection, message.subscription_id)
        if message.sequence and cancelled:
            # It may have been the one that would have told of another license.
            about_it = update(Subscription).where(Subscription.id == message.subscription_id)
            connection.execute(about_it.values(review_at=now))


def _without_person(payload: dict[str, Any]) -> dict[str, Any]:
    if "data" not in payload:
        return payload
    account = {**payload["data"]["account"], "existing_account": None}
    return {**payload, "data": {**payload["data"], "registration": None, "account": account}}


def _cancelled(message: Row[Any], now: datetime) -> dict[str, Any]:
    # A seller's mail of an activation says who it is; without them there is nothing to say.
    is_about_them = message.lane == queue.MAIL or message.type in announce.OF_REGISTRATION
    if message.outcome != "waiting" or not is_about_them:
        return {}
    return {"outcome": "cancelled", "settled_at": now, "next_try_at": None}
