"""Reports of subscriptions: all, one by any of its ids, and current purchases that were never registered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Uuid,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    union,
)

from app.aws.customer import license_id
from app.database import clock, rows
from app.database.rows import RowDict
from app.database.transactions import query, wait_for_operator
from app.models import Account, AuditEntry, EarlierKey, Registration, Subscription
from app.services.events import agreements
from app.services.operations import audit
from app.services.purchases import people
from app.services.purchases.entitlements import LastEnd
from app.services.reports import registrations

# Only without a registration: after a new sign-up, the earlier erasure explains nothing.
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
# Paying purchases first, then the oldest. Statuses that are not here are over: nothing is left to sign up for.
STATUS_PRIORITY = {"active": 0, "ending": 1, "pending": 2}
BY_PRIORITY = (case(STATUS_PRIORITY, value=Subscription.status), Subscription.created_at, Subscription.id)
WITH_REGISTRATIONS = (
    select(*SELECTED_COLUMNS)
    .outerjoin(Registration, Registration.subscription_id == Subscription.id)
    .outerjoin(Account, Account.subscription_id == Subscription.id)
)
NEWEST_FIRST = WITH_REGISTRATIONS.order_by(Subscription.id.desc())
# The contracts of old listings have no agreement: their entitlements alone say when they end.
END_OF_ENTITLEMENTS: LastEnd = LastEnd(Subscription.entitlements)
CONTRACT_END = func.coalesce(Subscription.ends_at, END_OF_ENTITLEMENTS).label("contract_ends_at")
ENDS_IN_TIME = or_(
    Subscription.ends_at.between(bindparam("now"), bindparam("ending_by")),
    and_(
        Subscription.ends_at.is_(None),
        Subscription.entitlements.is_not(None),
        END_OF_ENTITLEMENTS.between(bindparam("now"), bindparam("ending_by")),
    ),
)
NEXT_TO_END_FIRST = (
    WITH_REGISTRATIONS.add_columns(CONTRACT_END)
    .where(Subscription.status.in_(STATUS_PRIORITY))
    .order_by(CONTRACT_END, Subscription.id)
)
BY_IDS = NEWEST_FIRST.where(Subscription.id.in_(bindparam("ids", type_=Uuid, expanding=True)))
UNREGISTERED_IDS = (
    select(Subscription.id)
    .where(
        Subscription.status.in_(STATUS_PRIORITY),
        ~exists().where(Registration.subscription_id == Subscription.id),
        ~exists().where(AuditEntry.subscription_id == Subscription.id, AuditEntry.action == audit.REGISTRATION_ERASED),
    )
    .order_by(*BY_PRIORITY)
)


@dataclass(frozen=True)
class Filters:
    """Which subscriptions to return: those that match every filter given, newest first.

    `search` is a part of a registered company, name or address, in upper or lower case. `unregistered` selects current
    purchases that were never registered, by status (`active` first), then oldest first. `ending_by` selects current
    purchases whose contract ends from now to then, the next to end first: rows have this end as `contract_ends_at`.
    """

    status: str | None = None
    product_code: str | None = None
    account_id: str | None = None
    search: str | None = None
    since: datetime | None = None
    unregistered: bool = False
    ending_by: datetime | None = None


@query
def search(connection: Connection, filters: Filters, *, limit: int) -> list[RowDict]:
    """Return the subscriptions that match the filters, with their registrations."""
    wait_for_operator(connection)
    conditions = _conditions(filters)
    if filters.unregistered:
        # The few ids are selected first, so that the joins and the other columns are read for these alone.
        ids = UNREGISTERED_IDS.where(*conditions).limit(limit)
        return rows.fetch_all(connection, WITH_REGISTRATIONS.where(Subscription.id.in_(ids)).order_by(*BY_PRIORITY))
    statement = NEXT_TO_END_FIRST if filters.ending_by else NEWEST_FIRST
    return rows.fetch_all(connection, statement.where(*conditions).limit(limit))


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions = rows.filter_conditions(
        {
            Subscription.status: filters.status,
            Subscription.product_code: filters.product_code,
            Subscription.customer_aws_account_id: rows.strip_hyphens(filters.account_id),
        }
    )
    conditions += rows.since_condition(Subscription.created_at, filters.since)
    if filters.search is not None:
        of_person = select(Registration.subscription_id).where(people.contains(filters.search, *people.NAME_COLUMNS))
        conditions.append(Subscription.id.in_(of_person))
    if filters.ending_by is not None:
        conditions.append(ENDS_IN_TIME.params(now=clock.now(), ending_by=filters.ending_by))
    return conditions


@query
def find_by_any_id(connection: Connection, identifier: str) -> list[RowDict]:
    """Return the subscriptions, newest first, that have this identifier now or had it before a renewal.

    It is our id, a license ARN in any of AWS's notations or the license's id, a purchase key, an agreement id, an AWS
    account id or, for old listings, a customer identifier.
    """
    return rows.fetch_all(connection, NEWEST_FIRST.where(Subscription.id.in_(_select_ids_matching(identifier))))


@query
def find_by_ids(connection: Connection, ids: Iterable[UUID]) -> list[RowDict]:
    """Return the subscriptions with these ids, newest first."""
    return rows.fetch_all(connection, BY_IDS, {"ids": list(ids)})


def _select_ids_matching(identifier: str) -> CompoundSelect[Any]:
    # A UNION of searches, each on its own index: with OR, one column without an index would scan the table.
    identifier = identifier.strip()
    keys = {identifier, license_id(identifier)}
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
