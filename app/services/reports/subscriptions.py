"""What an operator asks about purchases: which there are, where one customer is, and who has paid and not signed up."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Select, case, exists, func, select, union
from sqlalchemy.orm import Session

from app.database import rows
from app.database.rows import Row
from app.database.transactions import query
from app.models import Account, AuditEntry, EarlierKey, Registration, Subscription
from app.services.events import agreements
from app.services.operations import audit
from app.services.purchases import keys as purchases_keys
from app.services.reports import registrations

# Where the buyer has signed up again, the erasure before that explains nothing.
ERASED_AT = (
    select(func.max(AuditEntry.at))
    .where(AuditEntry.subscription_id == Subscription.id, AuditEntry.action == audit.ERASED, Registration.id.is_(None))
    .correlate(Subscription, Registration)
    .scalar_subquery()
)
SUBSCRIPTION = (
    Subscription.id,
    Subscription.created_at,
    *registrations.PURCHASE,
    Registration.id.label("registration_id"),
    Registration.created_at.label("registration_created_at"),
    Registration.updated_at.label("registration_updated_at"),
    ERASED_AT.label("registration_erased_at"),
    *registrations.ANSWERS,
    *registrations.ACCOUNT,
)
# Who pays and has waited longest comes first; of a purchase that is over, nobody need sign up.
VALUE = {"active": 0, "ending": 1, "pending": 2}
MOST_VALUABLE_FIRST = (case(VALUE, value=Subscription.status), Subscription.created_at, Subscription.id)
UNREGISTERED = (
    Subscription.status.in_(VALUE),
    ~exists().where(Registration.subscription_id == Subscription.id),
    ~exists().where(AuditEntry.subscription_id == Subscription.id, AuditEntry.action == audit.ERASED),
)


@query
def newest(
    session: Session,
    *,
    limit: int,
    status: str | None = None,
    product_code: str | None = None,
    account_id: str | None = None,
) -> list[Row]:
    """Return the subscriptions that match every filter given, newest first, with their registrations."""
    wanted = _wanted(status, product_code, account_id)
    return rows.rows(session, _newest_first().where(*wanted).limit(limit))


@query
def unregistered(
    session: Session,
    *,
    limit: int,
    status: str | None = None,
    product_code: str | None = None,
    account_id: str | None = None,
) -> list[Row]:
    """Return the purchases that go on and that nobody ever signed up for, the one that has paid for longest first."""
    wanted = _wanted(status, product_code, account_id)
    # Their ids first: what else is told of a purchase is then read of those few.
    first = select(Subscription.id).where(*UNREGISTERED, *wanted).order_by(*MOST_VALUABLE_FIRST).limit(limit)
    found = _with_registrations().where(Subscription.id.in_(first)).order_by(*MOST_VALUABLE_FIRST)
    return rows.rows(session, found)


@query
def known_as(session: Session, name: str) -> list[Row]:
    """Return the subscriptions, newest first, that AWS or we call by that name, or did before a renewal.

    It is our id, a license ARN however it is spelled or the license's id, a purchase key, an agreement id, an AWS
    account id or, for old listings, a customer identifier.
    """
    return rows.rows(session, _newest_first().where(Subscription.id.in_(_named(name))))


@query
def of_ids(session: Session, ids: Iterable[UUID]) -> list[Row]:
    """Return the subscriptions with these ids, newest first."""
    return rows.rows(session, _newest_first().where(Subscription.id.in_(list(ids))))


def _named(name: str) -> CompoundSelect[Any]:
    # One search for each name, each by its own index: joined with OR, one without an index makes all of them a scan.
    keys = {name, purchases_keys.license_id(name)}
    conditions: list[ColumnElement[bool]] = [
        Subscription.purchase_key.in_(keys),
        Subscription.customer_aws_account_id == rows.digits(name),
        Subscription.customer_identifier == name,
    ]
    if (subscription_id := rows.as_id(name)) is not None:
        conditions.append(Subscription.id == subscription_id)
    return union(
        *(select(Subscription.id).where(condition) for condition in conditions),
        select(EarlierKey.subscription_id).where(EarlierKey.purchase_key.in_(keys)),
        *agreements.holders([name]).selects,
    )


def _wanted(status: str | None, product_code: str | None, account_id: str | None) -> list[ColumnElement[bool]]:
    return rows.equal(
        {
            Subscription.status: status,
            Subscription.product_code: product_code,
            Subscription.customer_aws_account_id: rows.digits(account_id),
        }
    )


def _newest_first() -> Select[Any]:
    return _with_registrations().order_by(Subscription.id.desc())


def _with_registrations() -> Select[Any]:
    with_registration = select(*SUBSCRIPTION).outerjoin(Registration, Registration.subscription_id == Subscription.id)
    return with_registration.outerjoin(Account, Account.subscription_id == Subscription.id)
