"""What an operator asks about customers: who has signed up, who has bought, and where one customer is.

Every answer is a row of one purchase and its registration, by column name. A name that both tables have
stands for the one asked about; the other's bears its table's name in front.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.database import query
from app.models import AuditEntry, ParkedToken, Registration, Subscription
from app.services import privacy

Row = dict[str, Any]

BATCH_ROWS = 1000

PURCHASE = (
    Subscription.status,
    Subscription.status_since,
    Subscription.product_code,
    Subscription.customer_aws_account_id,
    Subscription.customer_identifier,
    Subscription.license_arn,
    Subscription.agreement_id,
    Subscription.offer_type,
    Subscription.hints,
    Subscription.purchase_key,
    Subscription.last_seen_at,
)
ANSWERS = (
    Registration.company,
    Registration.full_name,
    Registration.email,
    Registration.phone,
    Registration.notes,
)
REGISTRATION = (
    Registration.id,
    Registration.created_at,
    Registration.updated_at,
    *ANSWERS,
    Registration.subscription_id,
    Registration.parked_token_id,
    ParkedToken.parked_at.label("token_parked_at"),
    ParkedToken.tries.label("token_tries"),
    ParkedToken.fault.label("token_fault"),
    ParkedToken.settled_at.label("token_died_at"),
    Subscription.created_at.label("subscription_created_at"),
    *PURCHASE,
)
# Where the buyer has signed up again, the erasure before that explains nothing.
ERASED_AT = (
    select(func.max(AuditEntry.at))
    .where(
        AuditEntry.subscription_id == Subscription.id, AuditEntry.action == privacy.ERASED, Registration.id.is_(None)
    )
    .correlate(Subscription, Registration)
    .scalar_subquery()
)
SUBSCRIPTION = (
    Subscription.id,
    Subscription.created_at,
    *PURCHASE,
    Registration.id.label("registration_id"),
    Registration.created_at.label("registration_created_at"),
    Registration.updated_at.label("registration_updated_at"),
    ERASED_AT.label("registration_erased_at"),
    *ANSWERS,
)
REGISTRATION_COLUMNS = tuple(column.key for column in REGISTRATION)


@query
def registrations(
    session: Session,
    *,
    limit: int,
    product_code: str | None = None,
    account_id: str | None = None,
    email: str | None = None,
    unlinked: bool = False,
) -> list[Row]:
    """Return the registrations that match every filter given, newest first, with their purchases.

    `unlinked` leaves those that have no purchase, with what is known of the token they wait for.
    """
    wanted = _equal(
        {Subscription.product_code: product_code, Subscription.customer_aws_account_id: _digits(account_id)}
    )
    if email is not None:
        wanted.append(func.lower(Registration.email) == email.lower())
    if unlinked:
        wanted.append(Registration.parked_token_id.is_not(None))
    return _rows(session, _registrations().where(*wanted).order_by(Registration.id.desc()).limit(limit))


@query
def registration(session: Session, registration_id: UUID) -> Row | None:
    """Return one registration with its purchase."""
    return next(iter(_rows(session, _registrations().where(Registration.id == registration_id))), None)


def every_registration() -> Iterator[Row]:
    """Yield all registrations with their purchases, oldest first.

    Each batch is a short transaction of its own, so that a reader who takes hours holds nothing back.

    Raises:
        DatabaseUnavailable: what was yielded so far is not all.
    """
    batch = _batch_after(None)
    while batch:
        yield from batch
        batch = _batch_after(batch[-1]["id"])


@query
def subscriptions(
    session: Session,
    *,
    limit: int,
    status: str | None = None,
    product_code: str | None = None,
    account_id: str | None = None,
) -> list[Row]:
    """Return the subscriptions that match every filter given, newest first, with their registrations."""
    wanted = _equal(
        {
            Subscription.status: status,
            Subscription.product_code: product_code,
            Subscription.customer_aws_account_id: _digits(account_id),
        }
    )
    return _rows(session, _subscriptions().where(*wanted).limit(limit))


@query
def subscriptions_known_as(session: Session, name: str) -> list[Row]:
    """Return the subscriptions, newest first, that AWS or we call by that name.

    It is our id, a license ARN, an agreement id, an AWS account id or, for old listings, a customer identifier.
    """
    names: list[ColumnElement[bool]] = [
        Subscription.license_arn == name,
        Subscription.agreement_id == name,
        Subscription.customer_aws_account_id == _digits(name),
        Subscription.customer_identifier == name,
    ]
    if (subscription_id := as_id(name)) is not None:
        names.append(Subscription.id == subscription_id)
    return _rows(session, _subscriptions().where(or_(*names)))


def as_id(text: str) -> UUID | None:
    """Return the id that a text spells, if it spells one."""
    try:
        return UUID(text)
    except ValueError:
        return None


@query
def _batch_after(session: Session, last_id: UUID | None) -> list[Row]:
    # Ids are made in order of time: the next batch starts where this one ended, without counting rows again.
    statement = _registrations().order_by(Registration.id).limit(BATCH_ROWS)
    return _rows(session, statement if last_id is None else statement.where(Registration.id > last_id))


def _registrations() -> Select[Any]:
    with_purchase = select(*REGISTRATION).outerjoin(Subscription, Subscription.id == Registration.subscription_id)
    return with_purchase.outerjoin(ParkedToken, ParkedToken.id == Registration.parked_token_id)


def _subscriptions() -> Select[Any]:
    joined = select(*SUBSCRIPTION).outerjoin(Registration, Registration.subscription_id == Subscription.id)
    return joined.order_by(Subscription.id.desc())


def _rows(session: Session, statement: Select[Any]) -> list[Row]:
    return [dict(row) for row in session.execute(statement).mappings()]


def _equal(filters: dict[InstrumentedAttribute[Any], str | None]) -> list[ColumnElement[bool]]:
    return [column == value for column, value in filters.items() if value is not None]


def _digits(account_id: str | None) -> str | None:
    # AWS's console shows an account id as 1234-5678-9012, and that is how it comes in a customer's mail.
    return account_id.replace("-", "") if account_id else account_id
