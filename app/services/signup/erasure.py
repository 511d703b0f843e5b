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
from app.models import AuditEntry, Invitation, OutboxMessage, PendingToken, Registration, Subscription
from app.services.operations import audit
from app.services.operations.audit import REGISTRATION_ERASED, AuditRecord
from app.services.outbox import announce, queue
from app.services.purchases.status import FINAL_STATUSES

log = structlog.get_logger()

RETENTION_ACTOR = "retention"
MASK = "•"
BATCH_ROWS = 1000


@dataclass(frozen=True)
class Erasure:
    """One erasure, as the audit entry keeps it. `before`: it had been done already."""

    registration_id: UUID
    subscription_id: UUID | None
    erased_at: datetime
    actor: str
    already_erased: bool = False


def erase(registration_id: UUID, actor: str) -> Erasure | None:
    """Erase the registration and record by whom; return None where there never was one with that id.

    Its subscription stays, and so does a token that still waits for AWS: neither holds anything of the person.
    A second time is success, and tells of the first.

    Raises:
        DatabaseUnavailable: it may or may not have been erased; a second time tells.
    """
    erased = _erase_one(registration_id, actor, datetime.now(UTC))
    if erased and not erased.already_erased:
        _log_erased(erased)
    return erased


@query
def find(session: Session, registration_id: UUID) -> Erasure | None:
    """Return when and by whom the registration was erased, if it was."""
    return _find_recorded(session, registration_id)


def erase_expired(retention_days: int, now: datetime) -> int:
    """Erase every registration that is kept for longer than so many days, and return how many; 0 days keep all.

    Raises:
        DatabaseUnavailable: what was erased so far stays erased; the next time does the rest.
    """
    count = 0
    for ids in expired_batches(retention_days, now):
        erased = _erase_expired(ids, now - timedelta(days=retention_days), now)
        for one in erased:
            _log_erased(one)
        count += len(erased)
    return count


def expired_batches(retention_days: int, now: datetime) -> Iterator[list[UUID]]:
    """Yield batches of the ids of all registrations that are kept for longer than so many days; 0 days keep all.

    The days count from the end of the purchase, or from the day AWS was given up on; and never from before the
    buyer last sent the form. Each batch is read in a short transaction of its own.
    """
    if retention_days == 0:
        return
    cutoff = now - timedelta(days=retention_days)
    looked_at = _batch_after(None, cutoff)
    while looked_at:
        if batch := [registration_id for registration_id, is_due in looked_at if is_due]:
            yield batch
        looked_at = _batch_after(looked_at[-1][0], cutoff)


@query
def _batch_after(session: Session, last_id: UUID | None, cutoff: datetime) -> list[tuple[UUID, bool]]:
    # A search for the next that is due might look through millions at once, for longer than a statement may take.
    statement = _select_registrations(_is_expired(cutoff)).order_by(Registration.id).limit(BATCH_ROWS)
    after = statement if last_id is None else statement.where(Registration.id > last_id)
    return [(registration_id, is_due) for registration_id, is_due in session.execute(after)]


@transaction
def _erase_one(connection: Connection, registration_id: UUID, actor: str, now: datetime) -> Erasure | None:
    _lock_subscriptions(connection, [registration_id])
    erased = _erase(connection, [registration_id], actor, now)
    return erased[0] if erased else _find_recorded(connection, registration_id)


@transaction
def _erase_expired(connection: Connection, ids: Sequence[UUID], cutoff: datetime, now: datetime) -> list[Erasure]:
    _lock_subscriptions(connection, ids)
    # Found without a lock, so that nobody waited for the search: meanwhile the buyer may have sent the form again.
    is_due = _is_expired(cutoff)
    still = _select_registrations(is_due).where(Registration.id.in_(ids), is_due).order_by(Registration.id)
    return _erase(connection, connection.scalars(still.with_for_update(of=Registration)).all(), RETENTION_ACTOR, now)


def _lock_subscriptions(connection: Connection, ids: Sequence[UUID]) -> None:
    # The subscriptions first, the registrations next, as when the form is sent: two that wait for each other would be a
    # deadlock.
    theirs = select(Registration.subscription_id).where(Registration.id.in_(ids))
    held = select(Subscription.id).where(Subscription.id.in_(theirs)).order_by(Subscription.id)
    connection.execute(held.with_for_update(key_share=True))


def _erase(connection: Connection, ids: Sequence[UUID], actor: str, now: datetime) -> list[Erasure]:
    deletion = delete(Registration).where(Registration.id.in_(ids))
    gone = connection.execute(deletion.returning(Registration.id, Registration.subscription_id)).all()
    erased = [Erasure(row.id, row.subscription_id, now, actor) for row in gone]
    redact_outbox_and_invitations(connection, {one.registration_id: one.subscription_id for one in erased}, now)
    audit.record(
        connection,
        [
            AuditRecord(one.erased_at, REGISTRATION_ERASED, one.actor, one.registration_id, one.subscription_id)
            for one in erased
        ],
    )
    return erased


def _find_recorded(database: Connection | Session, registration_id: UUID) -> Erasure | None:
    columns = (AuditEntry.registration_id, AuditEntry.subscription_id, AuditEntry.at, AuditEntry.actor)
    entries = select(*columns).where(
        AuditEntry.registration_id == registration_id, AuditEntry.action == REGISTRATION_ERASED
    )
    latest = database.execute(entries.order_by(AuditEntry.id.desc()).limit(1)).one_or_none()
    if latest is None:
        return None
    return Erasure(latest.registration_id, latest.subscription_id, latest.at, latest.actor, already_erased=True)


def _select_registrations(is_expired: ColumnElement[bool]) -> Select[tuple[UUID, bool]]:
    return (
        select(Registration.id, is_expired)
        .outerjoin(Subscription, Subscription.id == Registration.subscription_id)
        .outerjoin(PendingToken, PendingToken.id == Registration.parked_token_id)
    )


def _is_expired(cutoff: datetime) -> ColumnElement[bool]:
    ended = and_(
        Subscription.status.in_(FINAL_STATUSES),
        func.coalesce(Subscription.status_since, Subscription.created_at) < cutoff,
    )
    return and_(or_(ended, PendingToken.settled_at < cutoff), Registration.updated_at < cutoff)


def _log_erased(erasure: Erasure) -> None:
    subscription_id = erasure.subscription_id and str(erasure.subscription_id)
    log.info(REGISTRATION_ERASED, registration=str(erasure.registration_id), subscription=subscription_id)


def mask_email(address: str) -> str:
    """Return the address with its name masked, so that its owner still knows it."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}{MASK * 3}@{domain}"


def redact_outbox_and_invitations(
    connection: Connection, subscription_by_registration: Mapping[UUID, UUID | None], now: datetime
) -> None:
    """Take people out of the outbox and the invitations, within the transaction that erases their registrations.

    `erased` has each registration's subscription. What only told of a registration is not sent any more; what told of
    more is sent without it.
    """
    subscription_ids = sorted(filter(None, subscription_by_registration.values()))
    # Not when a retention that takes long began: who follows the changes has read on since, and would never hear of it.
    noted = update(Subscription).where(Subscription.id.in_(subscription_ids)).values(changed_at=datetime.now(UTC))
    connection.execute(noted)
    invited = update(Invitation).where(Invitation.subscription_id.in_(subscription_ids))
    connection.execute(invited.values(email=None))
    about = select(OutboxMessage.__table__).where(OutboxMessage.registration_id.in_(list(subscription_by_registration)))
    for message in connection.execute(about).all():
        cancelled = _cancel_values(message, now)
        values = {"payload": _redact_payload(message.payload), **cancelled}
        connection.execute(update(OutboxMessage).where(OutboxMessage.id == message.id).values(**values))
        if message.subscription_id:
            queue.release_next(connection, message.subscription_id)
        if message.sequence and cancelled:
            # It may have been the one that would have told of another license.
            about_it = update(Subscription).where(Subscription.id == message.subscription_id)
            connection.execute(about_it.values(review_at=now))


def _redact_payload(payload: dict[str, Any]) -> dict[str, Any]:
    if "data" not in payload:
        return payload
    account = {**payload["data"]["account"], "existing_account": None}
    return {**payload, "data": {**payload["data"], "registration": None, "account": account}}


def _cancel_values(message: Row[Any], now: datetime) -> dict[str, Any]:
    # A seller's mail of an activation says who it is; without them there is nothing to say.
    is_about_them = message.lane == queue.MAIL_LANE or message.type in announce.REGISTRATION_TYPES
    if message.outcome != "waiting" or not is_about_them:
        return {}
    return {"outcome": "cancelled", "settled_at": now, "next_try_at": None}
