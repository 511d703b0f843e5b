"""Registrations: the sign-up form's answers, one for each purchase, whether AWS has told which it is or not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, Uuid, bindparam, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.database import query, transaction, upsert
from app.errors import DatabaseUnavailable, NoPurchase, RegisteredMeanwhile
from app.models import Account, OutboxMessage, ParkedToken, Registration
from app.services import audit, changes, outbox, subscriptions
from app.services.audit import Deed
from app.services.landings import Arrived, Purchase
from app.services.subscriptions import Arrival

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
        type_ = changes.UPDATED if before else changes.COMPLETED
        audit.record(connection, [Deed(sent.at, type_, sent.actor, kept, subscription_id)])
        if subscription_id:
            changes.tell(connection, subscription_id, type_)
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
    asked = outbox.latest_of(connection, registration_id, OutboxMessage.type.in_(changes.OF_REGISTRATION))
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


def to_resume(unlinked_ids: Sequence[UUID], sent_after: datetime | None = None) -> Answers | None:
    """Return the latest answers, sent after that moment, of these registrations whose token has died.

    None where there are none, or while the database is away.
    """
    try:
        registration = (
            _to_resume(unlinked_ids, sent_after or datetime.min.replace(tzinfo=UTC)) if unlinked_ids else None
        )
    except DatabaseUnavailable:
        return None
    return answers_of(registration) if registration else None


@query
def _to_resume(session: Session, unlinked_ids: Sequence[UUID], sent_after: datetime) -> Registration | None:
    dead = (ParkedToken.settled_at.is_not(None), ParkedToken.subscription_id.is_(None))
    found = select(Registration).join(ParkedToken, ParkedToken.id == Registration.parked_token_id).where(*dead)
    wanted = found.where(Registration.id.in_(unlinked_ids), Registration.updated_at > sent_after)
    return session.scalar(wanted.order_by(Registration.updated_at.desc()).limit(1))


def still_unlinked(unlinked_ids: Sequence[UUID]) -> list[UUID]:
    """Return those that still wait for their purchase; all of them while the database is away."""
    try:
        return _unlinked(unlinked_ids) if unlinked_ids else []
    except DatabaseUnavailable:
        return list(unlinked_ids)


def is_unlinked(registration_id: UUID) -> bool:
    """Return whether the registration still waits for its purchase.

    Raises:
        DatabaseUnavailable: nobody can say.
    """
    return bool(_unlinked([registration_id]))


@query
def _unlinked(session: Session, unlinked_ids: Sequence[UUID]) -> list[UUID]:
    waiting = (Registration.id.in_(unlinked_ids), Registration.parked_token_id.is_not(None))
    return list(session.scalars(select(Registration.id).where(*waiting)))
