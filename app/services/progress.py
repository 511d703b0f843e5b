"""Progress: how far the product is with the account of a registration, and the link that shows it in any browser."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import sealing
from app.database import query
from app.models import Account, OutboxMessage, Registration
from app.services import changes

GOOD_FOR = timedelta(days=30)


@dataclass(frozen=True)
class Progress:
    """Where the account stands, since when the product has been asked for it, and what it answered.

    `unasked`: the product takes no hand-offs. `waiting`: it has not answered yet. `ready`: it has. `refused`: not the
    account that was asked for. `failed`: it did not answer for days, or said that it never will.
    """

    state: Literal["unasked", "waiting", "ready", "refused", "failed"]
    since: datetime | None = None
    account: Account | None = None


UNASKED = Progress("unasked")


@query
def of(session: Session, registration: Registration) -> Progress:
    """Return how far the product is with the registration's account."""
    asked = session.execute(
        select(OutboxMessage.outcome, OutboxMessage.created_at)
        .where(
            OutboxMessage.registration_id == registration.id,
            OutboxMessage.type.in_([changes.COMPLETED, changes.UPDATED]),
            OutboxMessage.sequence.is_not(None),
        )
        .order_by(OutboxMessage.sequence.desc())
        .limit(1)
    ).one_or_none()
    if asked is None:
        return UNASKED
    account = session.get(Account, registration.subscription_id)
    has_one = account is not None and account.refused is None and bool(account.url or account.reference)
    if asked.outcome == "delivered" or has_one:
        return Progress("refused" if account and account.refused else "ready", asked.created_at, account)
    return Progress("waiting" if asked.outcome == "waiting" else "failed", asked.created_at, account)


def link(registration_id: UUID) -> str:
    """Return the path of the page that shows the registration's progress in any browser, for 30 days."""
    return f"/progress/{sealing.progress_links().close(registration_id.bytes).decode()}"


@query
def registration_of(session: Session, sealed: str) -> Registration | None:
    """Return the registration that a link leads to, if it is ours, not too old, and the registration is still there."""
    opened = sealing.progress_links().open(sealed.encode(), GOOD_FOR)
    return session.get(Registration, UUID(bytes=opened)) if opened else None
