"""Reports of registrations, and the columns that the reports of subscriptions share with them.

Every row is one registration with its purchase, keyed by column name. A name that both tables have is the
registration's; the subscription's gets the prefix `subscription_`. Reports of subscriptions do it the other way round.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, case, func, select

from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query, wait_for_operator
from app.languages.table import ENGLISH
from app.models import Account, PendingToken, Registration, Subscription
from app.services.purchases import people

BATCH_ROWS = 1000

REGISTRATIONS, SUBSCRIPTIONS = Registration.__table__.c, Subscription.__table__.c
PURCHASE_COLUMNS = (
    *SUBSCRIPTIONS["status", "status_since", "product_code", "customer_aws_account_id", "customer_identifier"],
    *SUBSCRIPTIONS["license_arn", "agreement_id", "offer_type", "hints", "purchase_key", "last_seen_at"],
    *SUBSCRIPTIONS["free_trial", "ends_at", "entitlements", "entitlements_read_at", "former_ids", "changed_at"],
)
# The account that the buyer asked for, and the product's reply.
ACCOUNT_COLUMNS = (
    Registration.account.label("account"),
    Registration.existing_account,
    Account.url.label("account_url"),
    Account.reference.label("account_reference"),
    Account.refused.label("account_refused"),
    Account.answered_at.label("account_answered_at"),
)
# Of a time when the form was in English only, none is stored.
LANGUAGE = case(
    (Registration.id.is_not(None), func.coalesce(Registration.language, ENGLISH.code)),
).label("language")
ANSWER_COLUMNS = (*REGISTRATIONS["company", "full_name", "email", "phone", "notes", "answers"], LANGUAGE)
SELECTED_COLUMNS = (
    *REGISTRATIONS["id", "created_at", "updated_at"],
    *ANSWER_COLUMNS,
    *REGISTRATIONS["subscription_id", "parked_token_id"],
    PendingToken.parked_at.label("token_parked_at"),
    PendingToken.tries.label("token_tries"),
    PendingToken.fault.label("token_fault"),
    PendingToken.settled_at.label("token_died_at"),
    Subscription.created_at.label("subscription_created_at"),
    *PURCHASE_COLUMNS,
    *ACCOUNT_COLUMNS,
)
COLUMN_NAMES = tuple(column.key for column in SELECTED_COLUMNS)
WITH_PURCHASES = (
    select(*SELECTED_COLUMNS)
    .outerjoin(Subscription, Subscription.id == Registration.subscription_id)
    .outerjoin(Account, Account.subscription_id == Subscription.id)
    .outerjoin(PendingToken, PendingToken.id == Registration.parked_token_id)
)
NEWEST_FIRST = WITH_PURCHASES.order_by(Registration.id.desc())
BY_ID = WITH_PURCHASES.where(Registration.id == bindparam("registration_id", type_=Uuid))
BY_IDS = NEWEST_FIRST.where(Registration.id.in_(bindparam("ids", type_=Uuid, expanding=True)))
# Ids are UUIDv7 and sort by time: each batch starts after the last id of the one before, without an OFFSET to count.
NEXT_BATCH = (
    WITH_PURCHASES.where(Registration.id > bindparam("last_id", type_=Uuid)).order_by(Registration.id).limit(BATCH_ROWS)
)


@dataclass(frozen=True)
class Filters:
    """Which registrations to return: those that match every filter given.

    `search` is a part of a company, a name or an address; it and `email` match in upper or lower case.
    `without_purchase` selects those that wait for AWS to resolve their token.
    """

    product_code: str | None = None
    account_id: str | None = None
    email: str | None = None
    search: str | None = None
    since: datetime | None = None
    without_purchase: bool = False


@query
def newest(connection: Connection, filters: Filters, *, limit: int) -> list[RowDict]:
    """Return the registrations that match the filters, newest first, with their purchases."""
    wait_for_operator(connection)
    conditions = rows.filter_conditions(
        {
            Subscription.product_code: filters.product_code,
            Subscription.customer_aws_account_id: rows.strip_hyphens(filters.account_id),
        }
    )
    conditions += rows.since_condition(Registration.created_at, filters.since)
    if filters.email is not None:
        conditions.append(func.lower(Registration.email) == filters.email.strip().lower())
    if filters.search is not None:
        conditions.append(people.contains(filters.search, *people.NAME_COLUMNS))
    if filters.without_purchase:
        conditions.append(Registration.parked_token_id.is_not(None))
    return rows.fetch_all(connection, NEWEST_FIRST.where(*conditions).limit(limit))


@query
def find(connection: Connection, registration_id: UUID) -> RowDict | None:
    """Return one registration with its purchase; None if there is none, as after an erasure or a merge."""
    return next(iter(rows.fetch_all(connection, BY_ID, {"registration_id": registration_id})), None)


@query
def find_by_ids(connection: Connection, ids: Iterable[UUID]) -> list[RowDict]:
    """Return the registrations with these ids, newest first."""
    return rows.fetch_all(connection, BY_IDS, {"ids": list(ids)})


def iterate_all() -> Iterator[RowDict]:
    """Yield all registrations with their purchases, oldest first; after DatabaseUnavailable, some were not yielded.

    Each batch is a transaction of its own, so a slow reader never keeps one open.
    """
    batch = _batch_after(rows.MIN_ID)
    while batch:
        yield from batch
        batch = _batch_after(batch[-1]["id"])


@query
def _batch_after(connection: Connection, last_id: UUID) -> list[RowDict]:
    return rows.fetch_all(connection, NEXT_BATCH, {"last_id": last_id})
