"""Registrations: the sign-up form's answers, one for each subscription."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import select
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


def complete(arrival: Arrival, answers: Answers) -> UUID:
    """Keep the answers for the purchase, and return the registration's id.

    The same purchase again is the same registration: its latest answers stand, and nothing else of it changes.

    Raises:
        DatabaseUnavailable: nothing was kept; the buyer has to send the answers again.
    """
    registration_id = _keep(arrival, answers)
    log.info("registration.completed", registration=str(registration_id))
    return registration_id


@transaction
def _keep(session: Session, arrival: Arrival, answers: Answers) -> UUID:
    now = datetime.now(UTC)
    changes = {**asdict(answers), "updated_at": now}
    return upsert(
        session,
        Registration,
        natural_key="subscription_id",
        values={
            "id": uuid7(),
            "subscription_id": subscriptions.record(session, arrival),
            "created_at": now,
            **changes,
        },
        changes=changes,
    )


@query
def of_subscription(session: Session, subscription_id: UUID) -> Registration | None:
    """Return the subscription's registration, if the buyer has signed up."""
    return session.scalar(select(Registration).where(Registration.subscription_id == subscription_id))
