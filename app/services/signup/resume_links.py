"""Resuming: a link, sent to the address in an unlinked registration, with which its buyer comes back to it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database.transactions import query
from app.errors import DatabaseUnavailable
from app.models import PendingToken, Registration
from app.security.links import SignedLink
from app.services.signup.registrations import Answers, answers_of

TTL = timedelta(days=30)
LINK = SignedLink("/resume/", "resume link", max_age=TTL)


def path_for(registration_id: UUID) -> str | None:
    """Return the path of the registration's link; None where it does not wait for its purchase.

    Raises:
        DatabaseUnavailable: nobody can say whether it does.
    """
    if not is_without_purchase(registration_id):
        return None
    return LINK.path_for(registration_id)


def registration_id_from(link: str) -> UUID | None:
    """Return the registration that a link leads to, if it is ours, not too old, and still waits.

    Raises:
        DatabaseUnavailable: nobody can say whether it does.
    """
    registration_id = LINK.id_from(link)
    return registration_id if registration_id and is_without_purchase(registration_id) else None


def answers_to_resume(registration_ids: Sequence[UUID], submitted_after: datetime | None = None) -> Answers | None:
    """Return the latest answers, sent after that moment, of these registrations whose token has died.

    None where there are none, or while the database is away.
    """
    try:
        registration = (
            _latest_with_dead_token(registration_ids, submitted_after or datetime.min.replace(tzinfo=UTC))
            if registration_ids
            else None
        )
    except DatabaseUnavailable:
        return None
    return answers_of(registration) if registration else None


@query
def _latest_with_dead_token(
    session: Session, registration_ids: Sequence[UUID], submitted_after: datetime
) -> Registration | None:
    dead = (PendingToken.settled_at.is_not(None), PendingToken.subscription_id.is_(None))
    found = select(Registration).join(PendingToken, PendingToken.id == Registration.parked_token_id).where(*dead)
    wanted = found.where(Registration.id.in_(registration_ids), Registration.updated_at > submitted_after)
    return session.scalar(wanted.order_by(Registration.updated_at.desc()).limit(1))


def still_without_purchase(registration_ids: Sequence[UUID]) -> list[UUID]:
    """Return those that still wait for their purchase; all of them while the database is away."""
    try:
        return _ids_without_purchase(registration_ids) if registration_ids else []
    except DatabaseUnavailable:
        return list(registration_ids)


def is_without_purchase(registration_id: UUID) -> bool:
    """Return whether the registration still waits for its purchase.

    Raises:
        DatabaseUnavailable: nobody can say.
    """
    return bool(_ids_without_purchase([registration_id]))


@query
def _ids_without_purchase(session: Session, registration_ids: Sequence[UUID]) -> list[UUID]:
    waiting = (Registration.id.in_(registration_ids), Registration.parked_token_id.is_not(None))
    return list(session.scalars(select(Registration.id).where(*waiting)))
