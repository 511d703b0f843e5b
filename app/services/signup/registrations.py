"""Registrations: the stored answers of the sign-up form, one row for each purchase, resolved or pending.

`updated_at` is the row's version. A form that was opened when the row had one version replaces no other version: the
view passes the version that it knows in `KnownAnswers`, and `complete` raises `RegisteredMeanwhile` where the row
has another one with other answers (an optimistic lock).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, Uuid, bindparam, select, text
from uuid_utils.compat import uuid7

from app.database import clock
from app.database.statements import upsert_statement
from app.database.transactions import after_commit, query, transaction
from app.errors import DatabaseUnavailable, NoPurchase, RegisteredMeanwhile
from app.models import Account, OutboxMessage, PendingToken, Registration
from app.services.operations import audit
from app.services.outbox import account_claim, announce, queue
from app.services.outbox.account_claim import Claim
from app.services.outbox.payload import HandoffType
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Pending, Purchase, Resolved
from app.services.signup import erasure

log = structlog.get_logger()


@dataclass(frozen=True)
class Answers:
    """What the buyer typed into the sign-up form."""

    company: str
    full_name: str
    email: str
    phone: str | None = None
    notes: str | None = None
    account: str = "new"
    existing_account: str | None = None


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

TABLE = Registration.__table__
ANSWER_COLUMNS = (*(field.name for field in fields(Answers)), "updated_at")
ANSWER_CHANGES = {name: f"excluded.{name}" for name in (*ANSWER_COLUMNS, "sent_by")}
UPSERT_BY_SUBSCRIPTION = upsert_statement(Registration, natural_key="subscription_id", updates=ANSWER_CHANGES)
UPSERT_BY_TOKEN = upsert_statement(Registration, natural_key="parked_token_id", updates=ANSWER_CHANGES)
BY_SUBSCRIPTION = select(TABLE).where(Registration.subscription_id == bindparam("subscription_id"))
BY_TOKEN = select(TABLE).where(Registration.parked_token_id == bindparam("parked_token_id"))
# An update that changes nothing locks the row on both databases, until the answers are stored.
LOCK_PENDING_TOKEN = (
    text("UPDATE parked_tokens SET tries = tries WHERE id = :id RETURNING subscription_id")
    .bindparams(bindparam("id", type_=Uuid))
    .columns(PendingToken.__table__.c.subscription_id)
)
# A registration changes its purchase only once its token was given up: until then the token may still be resolved. And
# only for the same address: two people may use one browser.
SAME_BUYER_GIVEN_UP = (
    "id = :registration AND lower(email) = lower(:email) AND parked_token_id IN"
    " (SELECT id FROM parked_tokens WHERE settled_at IS NOT NULL AND subscription_id IS NULL)"
)
MOVE_TO_PURCHASE = text(
    "UPDATE registrations SET subscription_id = :subscription_id, parked_token_id = :parked_token_id"  # noqa: S608
    f" WHERE {SAME_BUYER_GIVEN_UP} AND NOT EXISTS"
    " (SELECT 1 FROM registrations WHERE subscription_id = :subscription_id OR parked_token_id = :parked_token_id)"
).bindparams(*(bindparam(name, type_=Uuid) for name in ("registration", "subscription_id", "parked_token_id")))
DELETE_SUPERSEDED = text(
    f"DELETE FROM registrations WHERE {SAME_BUYER_GIVEN_UP}"  # noqa: S608
    " AND (:parked_token_id IS NULL OR parked_token_id <> :parked_token_id)"
).bindparams(*(bindparam(name, type_=Uuid) for name in ("registration", "parked_token_id")))
REFUSAL = select(Account.refused).where(Account.subscription_id == bindparam("subscription"))


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

    The same purchase again is the same registration: its answers are replaced, and nothing else of it changes. Of the
    registrations without purchase that this browser submitted before, those of the same address whose token was given
    up move to this purchase. Another browser than that of the stored answers may replace them only while no account can
    have been made with them; with another address it makes a new registration.

    Raises:
        RegisteredMeanwhile: there are other answers than the browser knows, or they are not its to replace; they stay.
        NoPurchase: the pending token was purged.
    """
    now = clock.now()
    subscription_id, token_id = _lock_purchase(connection, purchase)
    find, upsert = (BY_SUBSCRIPTION, UPSERT_BY_SUBSCRIPTION) if subscription_id else (BY_TOKEN, UPSERT_BY_TOKEN)
    row: dict[str, Any] = {"subscription_id": subscription_id, "parked_token_id": token_id}
    stored = connection.execute(find, row).one_or_none()
    is_changed = stored is None or answers_of(stored) != answers
    # The same answers from another browser prove nothing: whoever knows them could enter the account with them.
    is_others = stored is not None and not known.are_own(stored)
    version = _next_version(stored, known.version, now, replaces=is_changed or is_others)
    if stored and is_others:
        _make_room(connection, stored, answers, now)
    _move_earlier(connection, ids_without_purchase, answers.email, row)
    row |= {"id": uuid7(), "created_at": now, "updated_at": version, "sent_by": known.browser_digest, **asdict(answers)}
    registration_id = connection.execute(upsert, row).scalar_one()
    # The same answers again, after the product refused them: the buyer and the product may have settled it meanwhile.
    if is_changed or _was_refused_or_failed(connection, subscription_id, registration_id):
        kind = HandoffType.REGISTRATION_UPDATED if stored else HandoffType.REGISTRATION_COMPLETED
        _record_and_announce(connection, audit.AuditRecord(now, kind, actor, registration_id, subscription_id))
    event = "registration.completed" if subscription_id else "registration.stored_without_purchase"
    after_commit(log.info, event, registration=str(registration_id))
    return StoredRegistration(registration_id, subscription_id, version)


def _record_and_announce(connection: Connection, record: audit.AuditRecord) -> None:
    audit.record(connection, [record])
    if record.subscription_id:
        announce.announce(connection, record.subscription_id, HandoffType(record.action))


def _lock_purchase(connection: Connection, purchase: Purchase) -> tuple[UUID | None, UUID | None]:
    """Lock the subscription, or the token while it is pending; return the id of the one and None for the other."""
    if isinstance(purchase, Resolved):
        return subscriptions.ensure_from_form(connection, purchase.landing), None
    token = connection.execute(LOCK_PENDING_TOKEN, {"id": purchase.id}).one_or_none()
    if token is None:
        raise NoPurchase
    if token.subscription_id is None:
        return None, purchase.id
    subscriptions.lock(connection, token.subscription_id)
    return token.subscription_id, None


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


def _move_earlier(connection: Connection, earlier_ids: Sequence[UUID], email: str, key: Mapping[str, Any]) -> None:
    for earlier_id in earlier_ids:
        for statement in (MOVE_TO_PURCHASE, DELETE_SUPERSEDED):
            connection.execute(statement, {**key, "registration": earlier_id, "email": email})


def _was_refused_or_failed(connection: Connection, subscription_id: UUID | None, registration_id: UUID) -> bool:
    """Return whether the product refused the account request, or never received the registration."""
    if subscription_id is None:
        return False
    if connection.execute(REFUSAL, {"subscription": subscription_id}).scalar_one_or_none():
        return True
    handoff = queue.latest_handoff(connection, registration_id, OutboxMessage.type.in_(announce.REGISTRATION_TYPES))
    return handoff is not None and handoff.outcome == "failed"


@query
def find_by_purchase(connection: Connection, purchase: Purchase) -> Row[Any] | None:
    """Return the purchase's registration, if the buyer has registered."""
    if isinstance(purchase, Pending):
        return connection.execute(BY_TOKEN, {"parked_token_id": purchase.id}).one_or_none()
    return connection.execute(BY_SUBSCRIPTION, {"subscription_id": purchase.subscription_id}).one_or_none()


def try_find_by_purchase(purchase: Purchase) -> Row[Any] | None:
    """Return the purchase's registration; None while the database is down, too."""
    try:
        return find_by_purchase(purchase)
    except DatabaseUnavailable:
        return None


def answers_of(registration: Row[Any]) -> Answers:
    """Return the registration's answers."""
    return Answers(**{field.name: getattr(registration, field.name) for field in fields(Answers)})
