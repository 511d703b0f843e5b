"""Registrations: the stored answers of the sign-up form, one row for each purchase, resolved or pending.

`updated_at` is the row's version. A form that was opened when the row had one version replaces no other version: the
view passes the version that it knows in `KnownAnswers`, and `complete` raises `RegisteredMeanwhile` where the row
has another one with other answers (an optimistic lock).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, bindparam, select
from uuid_utils.compat import uuid7

from app.database import clock
from app.database.statements import upsert_statement
from app.database.transactions import after_commit, query, transaction
from app.errors import DatabaseUnavailable, RegisteredMeanwhile
from app.languages.table import ENGLISH
from app.models import Account, OutboxMessage, Registration, Subscription
from app.services.operations import audit
from app.services.outbox import account_claim, account_reply, announce
from app.services.outbox.account_claim import Claim
from app.services.outbox.account_reply import AccountReply
from app.services.outbox.payload import HandoffType, StoredRows
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Purchase, Resolved
from app.services.signup import erasure, pending_tokens

log = structlog.get_logger()


@dataclass(frozen=True)
class Answers:
    """What the buyer typed into the sign-up form, and the language that the form was in (BCP 47).

    `answers` are those to the product's own questions, each with `id`, `label` (the question as it was asked), `type`,
    `value`, and the `text` that the buyer saw of it.
    """

    company: str
    full_name: str
    email: str
    phone: str | None = None
    notes: str | None = None
    account: str = "new"
    existing_account: str | None = None
    language: str = ENGLISH.code
    answers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class StoredRegistration:
    """A registration after it was stored: its id, its subscription's unless the purchase is pending, its version."""

    registration_id: UUID
    subscription_id: UUID | None
    updated_at: datetime


ANY_VERSION = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class KnownAnswers:
    """What a browser knows of the stored answers: their version, and whether it sent them (`is_own`).

    `version` is None where the form was opened before anybody had registered. By `browser_id`, a browser is known that
    presses twice, before it knows the version that its first press made.
    """

    version: datetime | None = ANY_VERSION
    is_own: bool = True
    browser_id: bytes | None = None

    @property
    def browser_digest(self) -> bytes | None:
        """What is stored of the browser's id."""
        return sha256(self.browser_id).digest() if self.browser_id else None

    def are_own(self, stored: Row[Any]) -> bool:
        """Return whether this browser sent the stored answers."""
        return self.is_own or (self.browser_id is not None and stored.sent_by == self.browser_digest)


ANY_ANSWERS = KnownAnswers()
# The fields that are built into every form. Nobody types the language.
TYPED_FIELDS = tuple(field.name for field in fields(Answers) if field.name not in {"language", "answers"})

TABLE = Registration.__table__
ANSWER_COLUMNS = (*(field.name for field in fields(Answers)), "updated_at")
ANSWER_CHANGES = {name: f"excluded.{name}" for name in (*ANSWER_COLUMNS, "sent_by")}
UPSERT_BY_SUBSCRIPTION, UPSERT_BY_TOKEN = (
    upsert_statement(TABLE, natural_key, ANSWER_CHANGES, returns_row=True)
    for natural_key in ("subscription_id", "parked_token_id")
)
# One row, of empty columns where there is no registration or no reply.
WITH_REPLY = (
    select(TABLE, *account_reply.COLUMNS)
    .select_from(Subscription)
    .outerjoin(Registration, Registration.subscription_id == Subscription.id)
    .outerjoin(Account, Account.subscription_id == Subscription.id)
    .where(Subscription.id == bindparam("subscription_id"))
)
BY_TOKEN = select(TABLE).where(Registration.parked_token_id == bindparam("parked_token_id"))
LATEST_REQUEST = (
    select(OutboxMessage.outcome)
    .where(OutboxMessage.registration_id == bindparam("registration"), account_claim.IS_REQUEST)
    .order_by(OutboxMessage.sequence.desc())
    .limit(1)
)


@transaction
def complete(
    connection: Connection,
    purchase: Purchase,
    answers: Answers,
    ids_without_purchase: Sequence[UUID] = (),
    actor: str = audit.BUYER_ACTOR,
    known: KnownAnswers = ANY_ANSWERS,
) -> StoredRegistration:
    """Store the answers for the purchase, record by whom, and enqueue the hand-off and the mails.

    The same purchase again is the same registration: only its answers are replaced. Of this browser's registrations
    without purchase, those of the same address whose token was given up move to this purchase. Another browser may
    replace answers only while no account can exist for them; with another address it makes a new registration.

    Raises:
        RegisteredMeanwhile: there are other answers than the browser knows, or they are not its to replace; they stay.
        NoPurchase: the pending token was purged.
    """
    now = clock.now()
    subscription, token_id = _lock_purchase(connection, purchase)
    subscription_id = subscription.id if subscription else None
    stored, account = find_with_reply(connection, subscription_id, token_id)
    key = {"subscription_id": subscription_id, "parked_token_id": token_id}
    is_changed = stored is None or answers_of(stored) != answers
    # The same answers from another browser prove nothing: whoever knows them could enter the account with them.
    is_others = stored is not None and not known.are_own(stored)
    version = _next_version(stored, known.version, now, replaces=is_changed or is_others)
    if stored and is_others:
        _make_room(connection, stored, answers, now)
    pending_tokens.move_registrations(connection, ids_without_purchase, answers.email, key)
    values = {"created_at": now, "updated_at": version, "sent_by": known.browser_digest, **vars(answers)}
    upsert = UPSERT_BY_SUBSCRIPTION if subscription else UPSERT_BY_TOKEN
    registration = connection.execute(upsert, {"id": uuid7(), **key, **values}).one()
    # The same answers again, after the product refused them: the buyer and the product may have settled it meanwhile.
    if is_changed or (subscription and _was_refused_or_failed(connection, account, registration.id)):
        type_ = HandoffType.REGISTRATION_UPDATED if stored else HandoffType.REGISTRATION_COMPLETED
        _record_and_announce(connection, type_, actor, subscription, registration, account)
    event = "registration.completed" if subscription_id else "registration.stored_without_purchase"
    after_commit(log.info, event, registration=str(registration.id))
    return StoredRegistration(registration.id, subscription_id, version)


def _record_and_announce(
    connection: Connection,
    type_: HandoffType,
    actor: str,
    subscription: Row[Any] | None,
    registration: Row[Any],
    account: AccountReply | None,
) -> None:
    ids = (registration.id, registration.subscription_id)
    audit.record(connection, [audit.AuditRecord(clock.now(), type_, actor, *ids)])
    if subscription:
        announce.announce(connection, subscription.id, type_, rows=StoredRows(subscription, registration, account))


def _lock_purchase(connection: Connection, purchase: Purchase) -> tuple[Row[Any] | None, UUID | None]:
    """Lock the subscription, or the token while it is pending; return the row of the one, or the id of the other."""
    if isinstance(purchase, Resolved):
        return subscriptions.ensure_from_form(connection, purchase.landing), None
    subscription_id = pending_tokens.lock(connection, purchase.id)
    return (subscriptions.lock_row(connection, subscription_id), None) if subscription_id else (None, purchase.id)


def find_with_reply(
    connection: Connection, subscription_id: UUID | None, token_id: UUID | None
) -> tuple[Row[Any] | None, AccountReply | None]:
    """Return the registration of the subscription or the pending token, and what the product replied about it."""
    if subscription_id is None:
        return connection.execute(BY_TOKEN, {"parked_token_id": token_id}).one_or_none(), None
    row = connection.execute(WITH_REPLY, {"subscription_id": subscription_id}).one_or_none()
    return (row if row and row.id else None), (account_reply.of_row(row) if row else None)


def _next_version(
    stored: Row[Any] | None, expected_version: datetime | None, now: datetime, *, replaces: bool
) -> datetime:
    if stored is None:
        return now
    last: datetime = stored.updated_at
    if replaces and expected_version not in {ANY_VERSION, last}:
        raise RegisteredMeanwhile
    # The first press of a double click may be stored last: its version must still be later than the stored one.
    return max(now, last + timedelta.resolution if replaces else last)


def _make_room(connection: Connection, stored: Row[Any], answers: Answers, now: datetime) -> None:
    subscription_id = stored.subscription_id
    if subscription_id and account_claim.of_subscription(connection, subscription_id) > Claim.NONE:
        raise RegisteredMeanwhile
    if stored.email.lower() != answers.email.lower():
        erasure.remove_superseded(connection, stored.id, now)


def _was_refused_or_failed(connection: Connection, account: AccountReply | None, registration_id: UUID) -> bool:
    """Return whether the product refused the account request, or never received the registration."""
    if account and account.refused:
        return True
    return connection.execute(LATEST_REQUEST, {"registration": registration_id}).scalar_one_or_none() == "failed"


def find_by_purchase(purchase: Purchase) -> Row[Any] | None:
    """Return the purchase's registration, if the buyer has registered."""
    return _find_by_ids(*purchase.ids) if any(purchase.ids) else None


@query
def _find_by_ids(connection: Connection, subscription_id: UUID | None, token_id: UUID | None) -> Row[Any] | None:
    return find_with_reply(connection, subscription_id, token_id)[0]


def try_find_by_purchase(purchase: Purchase) -> Row[Any] | None:
    """Return the purchase's registration; None while the database is down, too."""
    try:
        return find_by_purchase(purchase)
    except DatabaseUnavailable:
        return None


def answers_of(registration: Row[Any]) -> Answers:
    """Return the registration's answers."""
    typed = {name: getattr(registration, name) for name in TYPED_FIELDS}
    return Answers(**typed, language=registration.language or ENGLISH.code, answers=registration.answers or [])
