"""Erases people from registrations, drafts, hand-offs and invitations: when asked to, and when the retention is over.

The purchase stays, and so does an audit entry of each erasure, without personal data.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import BindParameter, Connection, Row, and_, bindparam, delete, func, or_, select, update

from app.database import clock
from app.database.rows import MIN_ID
from app.database.transactions import after_commit, query, transaction
from app.models import AuditEntry, Invitation, OutboxMessage, PendingToken, Registration, Subscription
from app.models.purchases import FINAL_STATUSES
from app.services.operations import audit
from app.services.operations.audit import REGISTRATION_ERASED, AuditRecord
from app.services.outbox import announce, queue
from app.services.purchases import drafts, subscriptions

log = structlog.get_logger()

RETENTION_ACTOR, DRAFT_ERASED = "retention", "draft.erased"
BATCH_ROWS = 1000
# Registrations and messages of one transaction: it must hold up neither SQLite's only writer nor the feed.
TRANSACTION_ROWS = 500

CUTOFF: BindParameter[datetime] = bindparam("cutoff")
REGISTRATION_IDS: BindParameter[UUID] = bindparam("registrations", expanding=True)
SUBSCRIPTION_IDS: BindParameter[UUID] = bindparam("subscriptions", expanding=True)
IS_IN_BATCH = Registration.id.in_(REGISTRATION_IDS)
ENDED_AT = func.coalesce(Subscription.status_since, Subscription.created_at)
HAS_ENDED = and_(Subscription.status.in_(FINAL_STATUSES), ENDED_AT < CUTOFF)
IS_EXPIRED = and_(or_(HAS_ENDED, PendingToken.settled_at < CUTOFF), Registration.updated_at < CUTOFF)
REGISTRATIONS = (
    select(Registration.id, IS_EXPIRED)
    .outerjoin(Subscription, Subscription.id == Registration.subscription_id)
    .outerjoin(PendingToken, PendingToken.id == Registration.parked_token_id)
    .order_by(Registration.id)
)
# Reads expired registrations or not: a search for the next expired one might read millions of rows in one statement,
# and run into the statement timeout.
NEXT_BATCH = REGISTRATIONS.where(Registration.id > bindparam("last_id")).limit(BATCH_ROWS)
LOCK_EXPIRED = REGISTRATIONS.where(IS_IN_BATCH, IS_EXPIRED).with_for_update(of=Registration)
# Lock subscriptions before registrations, as the form does; otherwise the two deadlock.
LOCK_SUBSCRIPTIONS = (
    select(Subscription.id)
    .where(Subscription.id.in_(select(Registration.subscription_id).where(IS_IN_BATCH)))
    .order_by(Subscription.id)
    .with_for_update(key_share=True)
)
DELETE = (
    delete(Registration)
    .where(IS_IN_BATCH)
    .returning(Registration.id, Registration.subscription_id, Registration.parked_token_id)
)
LATEST_ERASURE = (
    select(*AuditEntry.__table__.c["at", "action", "actor", "registration_id", "subscription_id"])
    .where(AuditEntry.registration_id == bindparam("registration"), AuditEntry.action == REGISTRATION_ERASED)
    .order_by(AuditEntry.id.desc())
    .limit(1)
)
# The caller gives the new values.
UPDATE_SUBSCRIPTIONS = update(Subscription).where(Subscription.id.in_(SUBSCRIPTION_IDS))
UPDATE_INVITATIONS = update(Invitation).where(Invitation.subscription_id.in_(SUBSCRIPTION_IDS))
MESSAGES = select(OutboxMessage.__table__).where(OutboxMessage.registration_id.in_(REGISTRATION_IDS))
MESSAGE_COUNTS = (
    select(OutboxMessage.registration_id, func.count().label("messages"))
    .where(OutboxMessage.registration_id.in_(REGISTRATION_IDS))
    .group_by(OutboxMessage.registration_id)
)
REDACT_MESSAGE = (
    update(OutboxMessage)
    .where(OutboxMessage.id == bindparam("message"))
    .values({name: bindparam(name) for name in ("payload", "outcome", "settled_at", "next_try_at")})
)


@transaction
def erase(connection: Connection, registration_id: UUID, actor: str) -> AuditRecord | None:
    """Erase the registration and record by whom; return None where there never was one with that id.

    Its subscription stays, and so does a pending token: neither contains personal data. To erase it again is success,
    and returns the first erasure: after DatabaseUnavailable, do so to find out whether it was erased.
    """
    connection.execute(LOCK_SUBSCRIPTIONS, {"registrations": [registration_id]})
    erased = _erase(connection, [registration_id], actor, clock.now())
    return erased[0] if erased else find_in_transaction(connection, registration_id)


def find_in_transaction(connection: Connection, registration_id: UUID) -> AuditRecord | None:
    """Return when and by whom the registration was last erased, if it was."""
    entry = connection.execute(LATEST_ERASURE, {"registration": registration_id}).one_or_none()
    return AuditRecord(*entry) if entry else None


find = query(find_in_transaction)


@transaction
def erase_draft(connection: Connection, draft_id: UUID, actor: str) -> bool:
    """Erase the draft and record by whom; return whether there was one."""
    if is_erased := drafts.delete_in_transaction(connection, draft_id):
        audit.record(connection, [AuditRecord(clock.now(), DRAFT_ERASED, actor)])
    return is_erased


def erase_expired(retention_days: int, now: datetime) -> int:
    """Erase every registration that is past its retention period; return how many. 0 days keep all.

    After DatabaseUnavailable, the batches erased so far stay erased, and the next run erases the rest.
    """
    cutoff = now - timedelta(days=retention_days)
    chunks = chain.from_iterable(map(_chunks, expired_batches(retention_days, now)))
    return sum(_erase_batch(chunk, cutoff, now) for chunk in chunks)


def _chunks(registration_ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    """Yield the ids in chunks of at most TRANSACTION_ROWS rows, messages counted; of more, one by one."""
    message_counts, rows = _message_counts(registration_ids), 0
    chunk: list[UUID] = []
    for registration_id in registration_ids:
        weight = 1 + message_counts[registration_id]
        if chunk and rows + weight > TRANSACTION_ROWS:
            yield chunk
            chunk, rows = [], 0
        chunk.append(registration_id)
        rows += weight
    yield chunk


@query
def _message_counts(connection: Connection, registration_ids: Sequence[UUID]) -> Counter[UUID]:
    rows = connection.execute(MESSAGE_COUNTS, {"registrations": registration_ids})
    return Counter({row.registration_id: row.messages for row in rows})


def expired_batches(retention_days: int, now: datetime) -> Iterator[list[UUID]]:
    """Yield the ids of all registrations that are past their retention period, in batches; 0 days keep all.

    The period begins with the end of the purchase, or when the pending token was given up; and not before the buyer
    last sent the form. Each batch is read in a short transaction of its own.
    """
    if retention_days == 0:
        return
    cutoff = now - timedelta(days=retention_days)
    registrations = _next_batch(MIN_ID, cutoff)
    while registrations:
        if expired := [registration_id for registration_id, is_expired in registrations if is_expired]:
            yield expired
        registrations = _next_batch(registrations[-1][0], cutoff)


@query
def _next_batch(connection: Connection, last_id: UUID, cutoff: datetime) -> list[tuple[UUID, bool]]:
    return list(connection.execute(NEXT_BATCH, {"last_id": last_id, "cutoff": cutoff}).tuples())


@transaction
def _erase_batch(connection: Connection, ids: Sequence[UUID], cutoff: datetime, now: datetime) -> int:
    connection.execute(LOCK_SUBSCRIPTIONS, {"registrations": ids})
    # The batch was read without a lock: the buyer may have sent the form again since.
    expired = connection.scalars(LOCK_EXPIRED, {"registrations": ids, "cutoff": cutoff}).all()
    return len(_erase(connection, expired, RETENTION_ACTOR, now))


def _erase(connection: Connection, ids: Sequence[UUID], actor: str, now: datetime) -> list[AuditRecord]:
    deleted = connection.execute(DELETE, {"registrations": ids}).all()
    subscription_ids = [row.subscription_id for row in deleted if row.subscription_id]
    connection.execute(UPDATE_SUBSCRIPTIONS, {"subscriptions": subscription_ids, **subscriptions.change()})
    connection.execute(UPDATE_INVITATIONS, {"subscriptions": subscription_ids, "email": None})
    token_ids = [row.parked_token_id for row in deleted if row.parked_token_id]
    drafts.delete_of_purchases(connection, subscription_ids, token_ids)
    _redact_outbox(connection, [row.id for row in deleted], now)
    entries = [AuditRecord(now, REGISTRATION_ERASED, actor, row.id, row.subscription_id) for row in deleted]
    audit.record(connection, entries)
    for row in deleted:
        purchase = {"subscription": row.subscription_id and str(row.subscription_id)}
        after_commit(log.info, REGISTRATION_ERASED, registration=str(row.id), **purchase)
    return entries


def remove_superseded(connection: Connection, registration_id: UUID, now: datetime) -> None:
    """Delete a registration whose purchase now has another person's, and remove this person from the outbox.

    The caller has locked the subscription.
    """
    connection.execute(DELETE, {"registrations": [registration_id]})
    _redact_outbox(connection, [registration_id], now)


def _redact_outbox(connection: Connection, registration_ids: Sequence[UUID], now: datetime) -> None:
    """Remove the people from the hand-offs and mails, and cancel those that were only about them."""
    messages = connection.execute(MESSAGES, {"registrations": registration_ids}).all()
    if not messages:
        return
    cancelled = {message.id for message in messages if message.outcome == "waiting" and _is_about_person(message)}
    rows = []
    for message in messages:
        state = {name: getattr(message, name) for name in ("outcome", "settled_at", "next_try_at")}
        if message.id in cancelled:
            state = {"outcome": "cancelled", "settled_at": now, "next_try_at": None}
        rows.append({"message": message.id, "payload": _redact_payload(message.payload), **state})
    connection.execute(REDACT_MESSAGE, rows)
    if released := {message.subscription_id for message in messages if message.sequence and message.id in cancelled}:
        queue.release_next(connection, *released)
        # The review enqueues the new license again, in case only this hand-off had it.
        connection.execute(UPDATE_SUBSCRIPTIONS, {"subscriptions": list(released), "review_at": now})


def _is_about_person(message: Row[Any]) -> bool:
    # All mails: the seller's mail of an activation says whose it is, and has nothing to say without the person.
    return message.lane == queue.MAIL_LANE or message.type in announce.REGISTRATION_TYPES


def _redact_payload(payload: dict[str, Any]) -> dict[str, Any]:
    if "data" not in payload:
        return payload
    account = {**payload["data"]["account"], "existing_account": None}
    return {**payload, "data": {**payload["data"], "registration": None, "account": account}}
