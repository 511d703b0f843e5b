"""Registrations: the sign-up form's answers, one for each purchase, whether AWS has told which it is or not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Connection, Row, Uuid, bindparam, delete, select, text, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.database.statements import upsert_statement
from app.database.transactions import query, transaction
from app.errors import DatabaseUnavailable, NoPurchase, RegisteredMeanwhile
from app.models import Account, AuditEntry, OutboxMessage, PendingToken, Registration
from app.services.operations import audit
from app.services.operations.audit import AuditRecord
from app.services.outbox import account_reply, announce, queue
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Landing, Purchase, Resolved

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


ANSWER_COLUMNS = (*(field.name for field in fields(Answers)), "updated_at")
ANSWER_CHANGES = {name: f"excluded.{name}" for name in ANSWER_COLUMNS}
UPSERT_REGISTRATION = upsert_statement(Registration, natural_key="subscription_id", updates=ANSWER_CHANGES)
UPSERT_WITHOUT_PURCHASE = upsert_statement(Registration, natural_key="parked_token_id", updates=ANSWER_CHANGES)
# The row is written to hold it until the answers are in, so that whoever resolves the token finds them.
LOCK_PENDING_TOKEN = (
    text("UPDATE parked_tokens SET tries = tries WHERE id = :id RETURNING subscription_id")
    .bindparams(bindparam("id", type_=Uuid))
    .columns(PendingToken.__table__.c.subscription_id)
)
# Only a token that is dead leaves its registration to be taken over: another may still say which purchase it is for.
# And only by the same person: a browser can be two people's.
SAME_BUYER_GIVEN_UP = (
    "id = :unlinked AND lower(email) = lower(:email) AND parked_token_id IN"
    " (SELECT id FROM parked_tokens WHERE settled_at IS NOT NULL AND subscription_id IS NULL)"
)
ATTACH_TO_PURCHASE = text(
    "UPDATE registrations SET subscription_id = :subscription, parked_token_id = :parked"  # noqa: S608
    f" WHERE {SAME_BUYER_GIVEN_UP} AND NOT EXISTS"
    " (SELECT 1 FROM registrations WHERE subscription_id = :subscription OR parked_token_id = :parked)"
).bindparams(*(bindparam(name, type_=Uuid) for name in ("unlinked", "subscription", "parked")))
DELETE_SUPERSEDED = text(
    f"DELETE FROM registrations WHERE {SAME_BUYER_GIVEN_UP} AND (:parked IS NULL OR parked_token_id <> :parked)"  # noqa: S608
).bindparams(*(bindparam(name, type_=Uuid) for name in ("unlinked", "parked")))


@dataclass(frozen=True)
class StoredRegistration:
    """A registration as it now stands on disk: its id, its subscription's if AWS has told, and when it was kept."""

    registration_id: UUID
    subscription_id: UUID | None
    updated_at: datetime


ANY_VERSION = datetime.max.replace(tzinfo=UTC)


def complete(
    purchase: Purchase,
    answers: Answers,
    ids_without_purchase: Sequence[UUID] = (),
    actor: str = audit.BUYER_ACTOR,
    expected_version: datetime | None = ANY_VERSION,
) -> StoredRegistration:
    """Keep the answers for the purchase, record by whom, and promise the hand-off and the mails.

    The same purchase again is the same registration: its latest answers stand, and nothing else of it changes.
    Of the unlinked registrations that this buyer sent before, those of the same address whose token is dead become
    the purchase's. `over` is when the answers were sent that these may replace, None where there were none; without it
    they replace whichever there are.

    Raises:
        RegisteredMeanwhile: there are others' answers, which stay.
        NoPurchase: the parked token has been forgotten.
        DatabaseUnavailable: nothing was kept; the buyer has to send the answers again.
    """
    now = datetime.now(UTC)
    if isinstance(purchase, Resolved):
        completed = _store(purchase.landing, Submission(answers, now, ids_without_purchase, actor, expected_version))
    else:
        completed = _store_without_purchase(
            purchase.id, Submission(answers, now, ids_without_purchase, actor, expected_version)
        )
    event = "registration.completed" if completed.subscription_id else "registration.stored_without_purchase"
    log.info(event, registration=str(completed.registration_id))
    return completed


@dataclass(frozen=True)
class Submission:
    """A form that was sent: the answers, when, the buyer's unlinked registrations, who it was, and what it replaces."""

    answers: Answers
    submitted_at: datetime
    ids_without_purchase: Sequence[UUID]
    actor: str
    expected_version: datetime | None


@transaction
def _store(connection: Connection, landing: Landing, submission: Submission) -> StoredRegistration:
    subscription_id = subscriptions.ensure_from_form(connection, landing)
    return _upsert_answers(connection, submission, subscription_id=subscription_id)


@transaction
def _store_without_purchase(
    connection: Connection, pending_token_id: UUID, submission: Submission
) -> StoredRegistration:
    held = connection.execute(LOCK_PENDING_TOKEN, {"id": pending_token_id}).one_or_none()
    if held is None:
        raise NoPurchase
    if held.subscription_id:
        subscriptions.lock(connection, held.subscription_id)
        return _upsert_answers(connection, submission, subscription_id=held.subscription_id)
    return _upsert_answers(connection, submission, parked_token_id=pending_token_id)


def _upsert_answers(
    connection: Connection,
    submission: Submission,
    *,
    subscription_id: UUID | None = None,
    parked_token_id: UUID | None = None,
) -> StoredRegistration:
    known = _find_stored(connection, subscription_id, parked_token_id)
    before = answers_of(known) if known else None
    if known and before != submission.answers and submission.expected_version not in {ANY_VERSION, known.updated_at}:
        raise RegisteredMeanwhile
    for unlinked_id in submission.ids_without_purchase:
        # It becomes this purchase's; where that has a registration already, no second one is left.
        theirs = {"unlinked": unlinked_id, "email": submission.answers.email, "parked": parked_token_id}
        connection.execute(ATTACH_TO_PURCHASE, {**theirs, "subscription": subscription_id})
        connection.execute(DELETE_SUPERSEDED, theirs)
    at = _next_version(submission, known) if known else submission.submitted_at
    row = {
        "id": uuid7(),
        "subscription_id": subscription_id,
        "parked_token_id": parked_token_id,
        "created_at": submission.submitted_at,
        "updated_at": at,
        **asdict(submission.answers),
    }
    kept = connection.execute(UPSERT_REGISTRATION if subscription_id else UPSERT_WITHOUT_PURCHASE, row).scalar_one()
    # Who sends the same again after a refusal has settled meanwhile with the product what was in the way.
    if before != submission.answers or (subscription_id and _was_refused_or_failed(connection, subscription_id, kept)):
        type_ = announce.REGISTRATION_UPDATED if before else announce.REGISTRATION_COMPLETED
        audit.record(connection, [AuditRecord(submission.submitted_at, type_, submission.actor, kept, subscription_id)])
        if subscription_id:
            announce.announce(connection, subscription_id, type_)
    return StoredRegistration(kept, subscription_id, at)


def _next_version(submission: Submission, stored: Row[Any]) -> datetime:
    # The first press of a double click may be kept last, and whose answers they are is told by when they were sent.
    last: datetime = stored.updated_at
    return max(
        submission.submitted_at, last if answers_of(stored) == submission.answers else last + timedelta.resolution
    )


def _find_stored(connection: Connection, subscription_id: UUID | None, parked_token_id: UUID | None) -> Row[Any] | None:
    linked, waiting = Registration.subscription_id == subscription_id, Registration.parked_token_id == parked_token_id
    known = select(Registration.__table__).where(linked if subscription_id else waiting)
    return connection.execute(known).one_or_none()


def _was_refused_or_failed(connection: Connection, subscription_id: UUID, registration_id: UUID) -> bool:
    """Return whether the product refused the account that was asked for, or never took the registration."""
    refused = select(Account.refused).where(Account.subscription_id == subscription_id)
    if connection.execute(refused).scalar_one_or_none():
        return True
    asked = queue.latest_handoff(connection, registration_id, OutboxMessage.type.in_(announce.REGISTRATION_TYPES))
    return asked is not None and asked.outcome == "failed"


@query
def find_by_purchase(session: Session, purchase: Purchase) -> Registration | None:
    """Return the purchase's registration, if the buyer has signed up."""
    if isinstance(purchase, Resolved):
        of_it = Registration.subscription_id == purchase.subscription_id
        return session.scalar(select(Registration).where(of_it)) if purchase.subscription_id else None
    return session.scalar(select(Registration).where(Registration.parked_token_id == purchase.id))


def try_find_by_purchase(purchase: Purchase) -> Registration | None:
    """Return what `of_purchase` does; None where nobody can say, because the database is away."""
    try:
        return find_by_purchase(purchase)
    except DatabaseUnavailable:
        return None


def answers_of(registration: Registration | Row[Any]) -> Answers:
    """Return what the buyer answered."""
    return Answers(**{answer.name: getattr(registration, answer.name) for answer in fields(Answers)})


def attach_to_subscription(
    connection: Connection, condition: ColumnElement[bool], subscription_id: UUID, *, owns_account: bool = False
) -> str | None:
    """Make the registration that matches the subscription's; where that has one already, the latest answers stand.

    But nobody is let into an account that was made for somebody else: `is_owner` is whether it was for who joins.

    Returns the type of event that this is; None where there is no such registration.
    """
    waiting = lock(connection, condition)
    if waiting is None:
        return None
    # What was done before anybody knew its purchase was done about that, too.
    done = update(AuditEntry).where(AuditEntry.registration_id == waiting.id, AuditEntry.subscription_id.is_(None))
    connection.execute(done.values(subscription_id=subscription_id))
    known = lock(connection, Registration.subscription_id == subscription_id)
    if known is None:
        linked = {"subscription_id": subscription_id, "parked_token_id": None}
        connection.execute(update(Registration).where(Registration.id == waiting.id).values(linked))
        return announce.REGISTRATION_COMPLETED
    are_two_peoples = waiting.email.lower() != known.email.lower()
    account, owner = account_reply.account_of(connection, subscription_id), waiting if owns_account else known
    is_decided = are_two_peoples and account is not None and account_reply.exists(connection, account, owner.id)
    stands = owns_account if is_decided else waiting.updated_at > known.updated_at
    if stands:
        latest = {name: getattr(waiting, name) for name in ANSWER_COLUMNS}
        connection.execute(update(Registration).where(Registration.id == known.id).values(latest))
    promised = update(OutboxMessage).where(OutboxMessage.registration_id == waiting.id)
    connection.execute(promised.values(registration_id=known.id))
    connection.execute(delete(Registration).where(Registration.id == waiting.id))
    return announce.REGISTRATION_UPDATED


def lock(connection: Connection, condition: ColumnElement[bool]) -> Row[Any] | None:
    """Return the registration that matches, locked until the caller commits; None where none does."""
    # Held until the end: an erasure meanwhile must not find its answers copied.
    return connection.execute(select(Registration.__table__).where(condition).with_for_update()).one_or_none()
