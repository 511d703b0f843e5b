"""What an operator asks about sign-ups, and what the reports of purchases and of events share.

Every answer here is a row of one purchase and its registration, by column name. A name that both tables have
stands for the one asked about; the other's bears its table's name in front.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.database.rows import RowDict, fetch_all, filter_conditions, strip_hyphens
from app.database.transactions import query
from app.models import Account, PendingToken, Registration, Subscription

BATCH_ROWS = 1000

PURCHASE_COLUMNS = (
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
    Subscription.free_trial,
    Subscription.ends_at,
    Subscription.entitlements,
    Subscription.entitlements_read_at,
    Subscription.former_ids,
    Subscription.changed_at,
)
# What the buyer asked for, and what the product answered.
ACCOUNT_COLUMNS = (
    Registration.account.label("account"),
    Registration.existing_account,
    Account.url.label("account_url"),
    Account.reference.label("account_reference"),
    Account.refused.label("account_refused"),
    Account.answered_at.label("account_answered_at"),
)
ANSWER_COLUMNS = (
    Registration.company,
    Registration.full_name,
    Registration.email,
    Registration.phone,
    Registration.notes,
)
SELECTED_COLUMNS = (
    Registration.id,
    Registration.created_at,
    Registration.updated_at,
    *ANSWER_COLUMNS,
    Registration.subscription_id,
    Registration.parked_token_id,
    PendingToken.parked_at.label("token_parked_at"),
    PendingToken.tries.label("token_tries"),
    PendingToken.fault.label("token_fault"),
    PendingToken.settled_at.label("token_died_at"),
    Subscription.created_at.label("subscription_created_at"),
    *PURCHASE_COLUMNS,
    *ACCOUNT_COLUMNS,
)
COLUMN_NAMES = tuple(column.key for column in SELECTED_COLUMNS)


@query
def newest(
    session: Session,
    *,
    limit: int,
    product_code: str | None = None,
    account_id: str | None = None,
    email: str | None = None,
    without_purchase: bool = False,
) -> list[RowDict]:
    """Return the registrations that match every filter given, newest first, with their purchases.

    `unlinked` leaves those that have no purchase, with what is known of the token they wait for.
    """
    wanted = filter_conditions(
        {Subscription.product_code: product_code, Subscription.customer_aws_account_id: strip_hyphens(account_id)}
    )
    if email is not None:
        wanted.append(func.lower(Registration.email) == email.lower())
    if without_purchase:
        wanted.append(Registration.parked_token_id.is_not(None))
    return fetch_all(session, _select_registrations().where(*wanted).order_by(Registration.id.desc()).limit(limit))


@query
def find(session: Session, registration_id: UUID) -> RowDict | None:
    """Return one registration with its purchase."""
    return next(iter(fetch_all(session, _select_registrations().where(Registration.id == registration_id))), None)


def iterate_all() -> Iterator[RowDict]:
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
def _batch_after(session: Session, last_id: UUID | None) -> list[RowDict]:
    # Ids are made in order of time: the next batch starts where this one ended, without counting rows again.
    statement = _select_registrations().order_by(Registration.id).limit(BATCH_ROWS)
    return fetch_all(session, statement if last_id is None else statement.where(Registration.id > last_id))


def _select_registrations() -> Select[Any]:
    with_purchase = select(*SELECTED_COLUMNS).outerjoin(Subscription, Subscription.id == Registration.subscription_id)
    with_account = with_purchase.outerjoin(Account, Account.subscription_id == Subscription.id)
    return with_account.outerjoin(PendingToken, PendingToken.id == Registration.parked_token_id)
