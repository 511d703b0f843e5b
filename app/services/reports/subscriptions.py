"""What an operator asks about purchases: which there are, where one customer is, and who has paid and not signed up."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Select, case, exists, func, select, union
from sqlalchemy.orm import Session

from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query
from app.models import Account, AuditEntry, EarlierKey, Registration, Subscription
from app.services.events import agreements
from app.services.operations import audit
from app.services.purchases import keys as purchases_keys
from app.services.reports import registrations

# Where the buyer has signed up again, the erasure before that explains nothing.
ERASED_AT = (
    select(func.max(AuditEntry.at))
    .where(
        AuditEntry.subscription_id == Subscription.id,
        AuditEntry.action == audit.REGISTRATION_ERASED,
        Registration.id.is_(None),
    )
    .correlate(Subscription, Registration)
    .scalar_subquery()
)
SELECTED_COLUMNS = (
    Subscription.id,
    Subscription.created_at,
    *registrations.PURCHASE_COLUMNS,
    Registration.id.label("registration_id"),
    Registration.created_at.label("registration_created_at"),
    Registration.updated_at.label("registration_updated_at"),
    ERASED_AT.label("registration_erased_at"),
    *registrations.ANSWER_COLUMNS,
    *registrations.ACCOUNT_COLUMNS,
)
# Who pays and has waited longest comes first; of a purchase that is over, nobody need sign up.
STATUS_PRIORITY = {"active": 0, "ending": 1, "pending": 2}
BY_PRIORITY = (case(STATUS_PRIORITY, value=Subscription.status), Subscription.created_at, Subscription.id)
UNREGISTERED_CONDITIONS = (
    Subscription.status.in_(STATUS_PRIORITY),
    ~exists().where(Registration.subscription_id == Subscription.id),
    ~exists().where(AuditEntry.subscription_id == Subscription.id, AuditEntry.action == audit.REGISTRATION_ERASED),
)


@query
def newest(
    session: Session,
    *,
    limit: int,
    status: str | None = None,
    product_code: str | None = None,
    account_id: str | None = None,
) -> list[RowDict]:
    """Return the subscriptions that match every filter given, newest first, with their registrations."""
    wanted = _conditions(status, product_code, account_id)
    return rows.fetch_all(session, _select_newest_first().where(*wanted).limit(limit))


@query
def unregistered(
    session: Session,
    *,
    limit: int,
    status: str | None = None,
    product_code: str | None = None,
    account_id: str | None = None,
) -> list[RowDict]:
    """Return the purchases that go on and that nobody ever signed up for, the one that has paid for longest first."""
    wanted = _conditions(status, product_code, account_id)
    # Their ids first: what else is told of a purchase is then read of those few.
    first = select(Subscription.id).where(*UNREGISTERED_CONDITIONS, *wanted).order_by(*BY_PRIORITY).limit(limit)
    found = _select_with_registrations().where(Subscription.id.in_(first)).order_by(*BY_PRIORITY)
    return rows.fetch_all(session, found)


@query
def find_by_any_id(session: Session, identifier: str) -> list[RowDict]:
    """Return the subscriptions, newest first, that AWS or we call by that name, or did before a renewal.

    It is our id, a license ARN however it is spelled or the license's id, a purchase key, an agreement id, an AWS
    account id or, for old listings, a customer identifier.
    """
    return rows.fetch_all(session, _select_newest_first().where(Subscription.id.in_(_select_ids_matching(identifier))))


@query
def find_by_ids(session: Session, ids: Iterable[UUID]) -> list[RowDict]:
    """Return the subscriptions with these ids, newest first."""
    return rows.fetch_all(session, _select_newest_first().where(Subscription.id.in_(list(ids))))


def _select_ids_matching(identifier: str) -> CompoundSelect[Any]:
    # One search for each name, each by its own index: joined with OR, one without an index makes all of them a scan.
    keys = {identifier, purchases_keys.license_id(identifier)}
    conditions: list[ColumnElement[bool]] = [
        Subscription.purchase_key.in_(keys),
        Subscription.customer_aws_account_id == rows.strip_hyphens(identifier),
        Subscription.customer_identifier == identifier,
    ]
    if (subscription_id := rows.parse_uuid(identifier)) is not None:
        conditions.append(Subscription.id == subscription_id)
    return union(
        *(select(Subscription.id).where(condition) for condition in conditions),
        select(EarlierKey.subscription_id).where(EarlierKey.purchase_key.in_(keys)),
        *agreements.select_ids_by_agreement([identifier]).selects,
    )


def _conditions(status: str | None, product_code: str | None, account_id: str | None) -> list[ColumnElement[bool]]:
    return rows.filter_conditions(
        {
            Subscription.status: status,
            Subscription.product_code: product_code,
            Subscription.customer_aws_account_id: rows.strip_hyphens(account_id),
        }
    )


def _select_newest_first() -> Select[Any]:
    return _select_with_registrations().order_by(Subscription.id.desc())


def _select_with_registrations() -> Select[Any]:
    with_registration = select(*SELECTED_COLUMNS).outerjoin(
        Registration, Registration.subscription_id == Subscription.id
    )
    return with_registration.outerjoin(Account, Account.subscription_id == Subscription.id)
