"""Registrations: the sign-up form's answers, one for each subscription."""

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.database import query, transaction, upsert
from app.models import Registration
from app.services import subscriptions
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


KEEP = upsert(
    Registration,
    natural_key="subscription_id",
    changes={name: f"excluded.{name}" for name in [*(field.name for field in fields(Answers)), "updated_at"]},
)


@dataclass(frozen=True)
class Completed:
    """A registration as it now stands on disk: its id, its subscription's, and when its answers were kept."""

    registration_id: UUID
    subscription_id: UUID
    at: datetime


def complete(arrival: Arrival, answers: Answers) -> Completed:
    """Keep the answers for the purchase.

    The same purchase again is the same registration: its latest answers stand, and nothing else of it changes.

    Raises:
        DatabaseUnavailable: nothing was kept; the buyer has to send the answers again.
    """
    completed = _keep(arrival, answers, datetime.now(UTC))
    log.info("registration.completed", registration=str(completed.registration_id))
    return completed


@transaction
def _keep(connection: Connection, arrival: Arrival, answers: Answers, now: datetime) -> Completed:
    subscription_id = subscriptions.remember(connection, arrival)
    row = {
        "id": uuid7(),
        "subscription_id": subscription_id,
        "parked_token_id": None,
        "created_at": now,
        "updated_at": now,
        **asdict(answers),
    }
    return Completed(connection.execute(KEEP, row).scalar_one(), subscription_id, now)


@query
def of_subscription(session: Session, subscription_id: UUID) -> Registration | None:
    """Return the subscription's registration, if the buyer has signed up."""
    return session.scalar(select(Registration).where(Registration.subscription_id == subscription_id))
