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

from app.database.transactions import query, transaction, upsert
from app.errors import DatabaseUnavailable, NoPurchase, RegisteredMeanwhile
from app.models import Account, AuditEntry, OutboxMessage, ParkedToken, Registration
from app.services.operations import audit
from app.services.operations.audit import Deed
from app.services.outbox import account_reply, announce, queue
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Arrival, Arrived, Purchase

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


ANSWERED = (*(field.name for field in fields(Answers)), "updated_at")
LATEST = {name: f"excluded.{name}" for name in ANSWERED}
KEEP = upsert(Registration, natural_key="subscription_id", changes=LATEST)
KEEP_UNLINKED = upsert(Registration, natural_key="parked_token_id", changes=LATEST)
# The row is written to hold it until the answers are in, so that whoever resolves the token finds them.
HOLD = (
    text("UPDATE parked_tokens SET tries = tries WHERE id = :id RETURNING subscription_id")
    .bindparams(bindparam("id", type_=Uuid))
    .columns(ParkedToken.__table__.c.subscription_id)
)
# Only a token that is dead leaves its registration to be taken over: another may still say which purchase it is for.
# And only by the same person: a browser can be two people's.
WITHOUT_HOPE = (
    "id = :unlinked AND lower(email) = lower(:email) AND parked_token_id IN"
    " (SELECT id FROM parked_tokens WHERE settled_at IS NOT NULL AND subscription_id IS NULL)"
)
TAKE_OVER = text(
    "UPDATE registrations SET subscription_id = :subscription, parked_token_id = :parked"  # noqa: S608
    f" WHERE {WITHOUT_HOPE} AND NOT EXISTS"
    " (SELECT 1 FROM registrations WHERE subscription_id = :subscription OR parked_token_id = :parked)"
).bindparams(*(bindparam(name, type_=Uuid) for name in ("unlinked", "subscription", "parked")))
SUPERSEDE = text(
    f"DELETE FROM registrations WHERE {WITHOUT_HOPE} AND (:parked IS NULL OR parked_token_id <> :parked)"  # noqa: S608
).bindparams(*(bindparam(name, type_=Uuid) for name in ("unlinked", "parked")))


@dataclass(frozen=True)
class Completed:
    """A registration as it now stands on disk: its id, its subscription's if AWS has told, and when it was kept."""

    registration_id: UUID
    subscription_id: UUID | None
    at: datetime


WHICHEVER = datetime.max.replace(tzinfo=UTC)


def complete(
    purchase: Purchase,
    answers: Answers,
    unlinked_ids: Sequence[UUID] = (),
    actor: str = audit.BUYER,
    over: datetime | None = WHICHEVER,
) -> Completed:
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
    if isinstance(purchase, Arrived):
        completed = _keep(purchase.arrival, Sent(answers, now, unlinked_ids, actor, over))
    else:
        completed = _keep_unlinked(purchase.id, Sent(answers, now, unlinked_ids, actor, over))
    event = "registration.completed" if completed.subscription_id else "registration.unlinked"
    log.info(event, registration=str(completed.registration_id))
    return completed


@dataclass(frozen=True)
class Sent:
    """A form that was sent: the answers, when, the buyer's unlinked registrations, who it was, and what it replaces."""

    answers: Answers
    at: datetime
    unlinked_ids: Sequence[UUID]
    actor: str
    over: datetime | None


@transaction
def _keep(connection: Connection, arrival: Arrival, sent: Sent) -> Completed:
    subscription_id = subscriptions.remember(connection, arrival)
    return _complete(connection, sent, subscription_id=subscription_id)


@transaction
def _keep_unlinked(connection: Connection, parked_id: UUID, sent: Sent) -> Completed:
    held = connection.execute(HOLD, {"id": parked_id}).one_or_none()
    if held is None:
        raise NoPurchase
    if held.subscription_id:
        subscriptions.hold(connection, held.subscription_id)
        return _complete(connection, sent, subscription_id=held.subscription_id)
    return _complete(connection, sent, parked_token_id=parked_id)


def _complete(
    connection: Connection, sent: Sent, *, subscription_id: UUID | None = None, parked_token_id: UUID | None = None
) -> Completed:
    known = _known(connection, subscription_id, parked_token_id)
    before = answers_of(known) if known else None
    if known and before != sent.answers and sent.over not in {WHICHEVER, known.updated_at}:
        raise RegisteredMeanwhile
    for unlinked_id in sent.unlinked_ids:
        # It becomes this purchase's; where that has a registration already, no second one is left.
        theirs = {"unlinked": unlinked_id, "email": sent.answers.email, "parked": parked_token_id}
        connection.execute(TAKE_OVER, {**theirs, "subscription": subscription_id})
        connection.execute(SUPERSEDE, theirs)
    at = _moment(sent, known) if known else sent.at
    row = {
        "id": uuid7(),
        "subscription_id": subscription_id,
        "parked_token_id": parked_token_id,
        "created_at": sent.at,
        "updated_at": at,
        **asdict(sent.answers),
    }
    kept = connection.execute(KEEP if subscription_id else KEEP_UNLINKED, row).scalar_one()
    # Who sends the same again after a refusal has settled meanwhile with the product what was in the way.
    if before != sent.answers or (subscription_id and _was_turned_down(connection, subscription_id, kept)):
        type_ = announce.UPDATED if before else announce.COMPLETED
        audit.record(connection, [Deed(sent.at, type_, sent.actor, kept, subscription_id)])
        if subscription_id:
            announce.tell(connection, subscription_id, type_)
    return Completed(kept, subscription_id, at)


def _moment(sent: Sent, known: Row[Any]) -> datetime:
    # The first press of a double click may be kept last, and whose answers they are is told by when they were sent.
    last: datetime = known.updated_at
    return max(sent.at, last if answers_of(known) == sent.answers else last + timedelta.resolution)


def _known(connection: Connection, subscription_id: UUID | None, parked_token_id: UUID | None) -> Row[Any] | None:
    linked, waiting = Registration.subscription_id == subscription_id, Registration.parked_token_id == parked_token_id
    known = select(Registration.__table__).where(linked if subscription_id else waiting)
    return connection.execute(known).one_or_none()


def _was_turned_down(connection: Connection, subscription_id: UUID, registration_id: UUID) -> bool:
    """Return whether the product refused the account that was asked for, or never took the registration."""
    refused = select(Account.refused).where(Account.subscription_id == subscription_id)
    if connection.execute(refused).scalar_one_or_none():
        return True
    asked = queue.latest_of(connection, registration_id, OutboxMessage.type.in_(announce.OF_REGISTRATION))
    return asked is not None and asked.outcome == "failed"


@query
def of_purchase(session: Session, purchase: Purchase) -> Registration | None:
    """Return the purchase's registration, if the buyer has signed up."""
    if isinstance(purchase, Arrived):
        of_it = Registration.subscription_id == purchase.subscription_id
        return session.scalar(select(Registration).where(of_it)) if purchase.subscription_id else None
    return session.scalar(select(Registration).where(Registration.parked_token_id == purchase.id))


def known_of(purchase: Purchase) -> Registration | None:
    """Return what `of_purchase` does; None where nobody can say, because the database is away."""
    try:
        return of_purchase(purchase)
    except DatabaseUnavailable:
        return None


def answers_of(registration: Registration | Row[Any]) -> Answers:
    """Return what the buyer answered."""
    return Answers(**{answer.name: getattr(registration, answer.name) for answer in fields(Answers)})


def join(
    connection: Connection, waiting_for: ColumnElement[bool], subscription_id: UUID, *, is_owner: bool = False
) -> str | None:
    """Make the registration that matches the subscription's; where that has one already, the latest answers stand.

    But nobody is let into an account that was made for somebody else: `is_owner` is whether it was for who joins.

    Returns the type of event that this is; None where there is no such registration.
    """
    waiting = lock(connection, waiting_for)
    if waiting is None:
        return None
    # What was done before anybody knew its purchase was done about that, too.
    done = update(AuditEntry).where(AuditEntry.registration_id == waiting.id, AuditEntry.subscription_id.is_(None))
    connection.execute(done.values(subscription_id=subscription_id))
    known = lock(connection, Registration.subscription_id == subscription_id)
    if known is None:
        linked = {"subscription_id": subscription_id, "parked_token_id": None}
        connection.execute(update(Registration).where(Registration.id == waiting.id).values(linked))
        return announce.COMPLETED
    are_two_peoples = waiting.email.lower() != known.email.lower()
    account, owner = account_reply.of(connection, subscription_id), waiting if is_owner else known
    is_decided = are_two_peoples and account is not None and account_reply.is_made(connection, account, owner.id)
    stands = is_owner if is_decided else waiting.updated_at > known.updated_at
    if stands:
        latest = {name: getattr(waiting, name) for name in ANSWERED}
        connection.execute(update(Registration).where(Registration.id == known.id).values(latest))
    promised = update(OutboxMessage).where(OutboxMessage.registration_id == waiting.id)
    connection.execute(promised.values(registration_id=known.id))
    connection.execute(delete(Registration).where(Registration.id == waiting.id))
    return announce.UPDATED


def lock(connection: Connection, condition: ColumnElement[bool]) -> Row[Any] | None:
    """Return the registration that matches, locked until the caller commits; None where none does."""
    # Held until the end: an erasure meanwhile must not find its answers copied.
    return connection.execute(select(Registration.__table__).where(condition).with_for_update()).one_or_none()
