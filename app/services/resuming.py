"""Resuming: a link, sent to the address in an unlinked registration, with which its buyer comes back to it."""

from datetime import timedelta
from uuid import UUID

from app import sealing
from app.services import registrations

GOOD_FOR = timedelta(days=30)


def link(registration_id: UUID) -> str | None:
    """Return the path of the registration's link; None where it does not wait for its purchase.

    Raises:
        DatabaseUnavailable: nobody can say whether it does.
    """
    if not registrations.is_unlinked(registration_id):
        return None
    return f"/resume/{sealing.resume_links().spelt(registration_id)}"


def registration_of(sealed: str) -> UUID | None:
    """Return the registration that a link leads to, if it is ours, not too old, and still waits.

    Raises:
        DatabaseUnavailable: nobody can say whether it does.
    """
    registration_id = sealing.resume_links().id_in(sealed, GOOD_FOR)
    return registration_id if registration_id and registrations.is_unlinked(registration_id) else None
