"""Registrations: the sign-up form's answers, one for each subscription."""

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection, Uuid, bindparam, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.database import query, transaction, upsert
from app.errors import DatabaseUnavailable, NoPurchase
from app.models import ParkedToken, Registration
from app.services import subscriptions
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
# Only a token that is dead leaves its registration to be taken; another may still say which purchase it is for.
WITHOUT_HOPE = (
    "id = :unlinked AND parked_token_id IN"
    " (SELECT id FROM parked_tokens WHERE settled_at IS NOT NULL AND subscription_id IS NULL)"
)
ADOPT = text(
    "UPDATE registrations SET subscription_id = :subscription, parked_token_id = :parked"  # noqa: S608
    f" WHERE {WITHOUT_HOPE} AND NOT EXISTS"
    " (SELECT 1 FROM registrations WHERE subscription_id = :subscription OR parked_token_id = :parked)"
).bindparams(*(bindparam(name, type_=Uuid) for name in ("unlinked", "subscription", "parked")))
SUPERSEDE = text(f"DELETE FROM registrations WHERE {WITHOUT_HOPE}").bindparams(bindparam("unlinked", type_=Uuid))  # noqa: S608


@dataclass(frozen=True)
class Completed:
    """A registration as it now stands on disk: its id, its subscription's if AWS has told, and when it was kept."""

    registration_id: UUID
    subscription_id: UUID | None
    at: datetime


def complete(purchase: Purchase, answers: Answers, unlinked_id: UUID | None = None) -> Completed:
    """Keep the answers for the purchase.

    The same purchase again is the same registration: its latest answers stand, and nothing else of it changes.
    An unlinked registration that the buyer says is theirs, and whose token is dead, becomes the purchase's.

    Raises:
        NoPurchase: the parked token has been forgotten.
        DatabaseUnavailable: nothing was kept; the buyer has to send the answers again.
    """
    now = datetime.now(UTC)
    if isinstance(purchase, Arrived):
        completed = _keep(purchase.arrival, answers, now, unlinked_id)
    else:
        completed = _keep_unlinked(purchase.id, answers, now, unlinked_id)
    log.info("registration.completed", registration=str(completed.registration_id))
    return completed


@transaction
def _keep(
    connection: Connection, arrival: Arrival, answers: Answers, now: datetime, unlinked_id: UUID | None
) -> Completed:
    subscription_id = subscriptions.remember(connection, arrival)
    return _complete(connection, answers, now, unlinked_id, subscription_id=subscription_id)


@transaction
def _keep_unlinked(
    connection: Connection, parked_id: UUID, answers: Answers, now: datetime, unlinked_id: UUID | None
) -> Completed:
    held = connection.execute(HOLD, {"id": parked_id}).one_or_none()
    if held is None:
        raise NoPurchase
    if held.subscription_id:
        return _complete(connection, answers, now, unlinked_id, subscription_id=held.subscription_id)
    return _complete(connection, answers, now, unlinked_id, parked_token_id=parked_id)


def _complete(
    connection: Connection,
    answers: Answers,
    now: datetime,
    unlinked_id: UUID | None,
    *,
    subscription_id: UUID | None = None,
    parked_token_id: UUID | None = None,
) -> Completed:
    if unlinked_id:
        # It becomes this purchase's; where that has a registration already, no second one is left.
        purchase = {"subscription": subscription_id, "parked": parked_token_id}
        connection.execute(ADOPT, {"unlinked": unlinked_id, **purchase})
        connection.execute(SUPERSEDE, {"unlinked": unlinked_id})
    row = {
        "id": uuid7(),
        "subscription_id": subscription_id,
        "parked_token_id": parked_token_id,
        "created_at": now,
        "updated_at": now,
        **asdict(answers),
    }
    kept = connection.execute(KEEP if subscription_id else KEEP_UNLINKED, row).scalar_one()
    return Completed(kept, subscription_id, now)


@query
def of_purchase(session: Session, purchase: Purchase) -> Registration | None:
    """Return the purchase's registration, if the buyer has signed up."""
    if isinstance(purchase, Arrived):
        of_it = Registration.subscription_id == purchase.subscription_id
        return session.scalar(select(Registration).where(of_it)) if purchase.subscription_id else None
    return session.scalar(select(Registration).where(Registration.parked_token_id == purchase.id))


def is_known_of(purchase: Purchase) -> bool:
    """Return whether the buyer has signed up; False where nobody can say, because the database is away."""
    try:
        return of_purchase(purchase) is not None
    except DatabaseUnavailable:
        return False


def unlinked_answers(registration_id: UUID) -> Answers | None:
    """Return what was answered in a registration that still waits for its purchase; None while the database is away."""
    try:
        registration = _unlinked(registration_id)
    except DatabaseUnavailable:
        return None
    if registration is None:
        return None
    return Answers(**{answer.name: getattr(registration, answer.name) for answer in fields(Answers)})


@query
def _unlinked(session: Session, registration_id: UUID) -> Registration | None:
    waiting = Registration.parked_token_id.is_not(None)
    return session.scalar(select(Registration).where(Registration.id == registration_id, waiting))
