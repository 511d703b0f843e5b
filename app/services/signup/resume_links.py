"""Resuming: a link, sent to the address in an unlinked registration, with which its buyer comes back to it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database.transactions import query
from app.errors import DatabaseUnavailable
from app.models import ParkedToken, Registration
from app.security import encryption
from app.services.signup.registrations import Answers, answers_of

GOOD_FOR = timedelta(days=30)


def link(registration_id: UUID) -> str | None:
    """Return the path of the registration's link; None where it does not wait for its purchase.

    Raises:
        DatabaseUnavailable: nobody can say whether it does.
    """
    if not is_unlinked(registration_id):
        return None
    return f"/resume/{encryption.resume_links().spelt(registration_id)}"


def registration_of(sealed: str) -> UUID | None:
    """Return the registration that a link leads to, if it is ours, not too old, and still waits.

    Raises:
        DatabaseUnavailable: nobody can say whether it does.
    """
    registration_id = encryption.resume_links().id_in(sealed, GOOD_FOR)
    return registration_id if registration_id and is_unlinked(registration_id) else None


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
