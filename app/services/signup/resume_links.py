"""Resume links lead a buyer whose registration has no purchase back to the form, with the answers filled in."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select

from app.database.rows import MIN_TIME
from app.database.transactions import query
from app.errors import DatabaseUnavailable
from app.models import PendingToken, Registration
from app.security.links import EncryptedLink
from app.services.signup.registrations import Answers, answers_of

TTL = timedelta(days=30)
LINK = EncryptedLink("/resume/", "resume link", max_age=TTL)

AMONG_IDS = Registration.id.in_(bindparam("ids", expanding=True))
LATEST_WITH_DEAD_TOKEN = (
    select(Registration.__table__)
    .join(PendingToken, PendingToken.id == Registration.parked_token_id)
    .where(AMONG_IDS, Registration.updated_at > bindparam("submitted_after"))
    .where(PendingToken.settled_at.is_not(None), PendingToken.subscription_id.is_(None))
    .order_by(Registration.updated_at.desc())
    .limit(1)
)
HAS_ADDRESS = select(Registration.id).where(
    Registration.id == bindparam("registration"), func.lower(Registration.email) == func.lower(bindparam("email"))
)
IDS_WITHOUT_PURCHASE = select(Registration.id).where(AMONG_IDS, Registration.parked_token_id.is_not(None))


def path_for(registration_id: UUID) -> str | None:
    """Return the path of the registration's link; None once the registration has its purchase."""
    return LINK.path_for(registration_id) if is_without_purchase(registration_id) else None


def registration_id_from(link: str) -> UUID | None:
    """Return the id of the registration that the link leads to; None once the registration has its purchase."""
    registration_id = LINK.id_from(link)
    return registration_id if registration_id and is_without_purchase(registration_id) else None


@query
def is_of_address(connection: Connection, registration_id: UUID, email: str) -> bool:
    """Return whether the registration was sent with this address, in upper or lower case."""
    return connection.scalar(HAS_ADDRESS, {"registration": registration_id, "email": email}) is not None


def answers_to_resume(registration_ids: Sequence[UUID], submitted_after: datetime | None = None) -> Answers | None:
    """Return the latest answers of these registrations whose token was given up, submitted after that time.

    None where there are none, and while the database is down.
    """
    try:
        return _latest_answers(registration_ids, submitted_after or MIN_TIME) if registration_ids else None
    except DatabaseUnavailable:
        return None


@query
def _latest_answers(
    connection: Connection, registration_ids: Sequence[UUID], submitted_after: datetime
) -> Answers | None:
    parameters = {"ids": registration_ids, "submitted_after": submitted_after}
    registration = connection.execute(LATEST_WITH_DEAD_TOKEN, parameters).one_or_none()
    return answers_of(registration) if registration else None


def still_without_purchase(registration_ids: Sequence[UUID]) -> list[UUID]:
    """Return the ids of the registrations without purchase; all of them while the database is down."""
    try:
        return _ids_without_purchase(registration_ids)
    except DatabaseUnavailable:
        return list(registration_ids)


def is_without_purchase(registration_id: UUID) -> bool:
    """Return whether the registration still has no purchase."""
    return bool(_ids_without_purchase([registration_id]))


@query
def _ids_without_purchase(connection: Connection, registration_ids: Sequence[UUID]) -> list[UUID]:
    return list(connection.scalars(IDS_WITHOUT_PURCHASE, {"ids": registration_ids}))
