"""What an operator asks about sign-ups, and what the reports of purchases and of events share.

Every answer here is a row of one purchase and its registration, by column name. A name that both tables have
stands for the one asked about; the other's bears its table's name in front.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.database.rows import Row, digits, equal, rows
from app.database.transactions import query
from app.models import Account, ParkedToken, Registration, Subscription

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
    Subscription.free_trial,
    Subscription.ends_at,
    Subscription.entitlements,
    Subscription.entitlements_read_at,
    Subscription.former_ids,
    Subscription.changed_at,
)
# What the buyer asked for, and what the product answered.
ACCOUNT = (
    Registration.account.label("account"),
    Registration.existing_account,
    Account.url.label("account_url"),
    Account.reference.label("account_reference"),
    Account.refused.label("account_refused"),
    Account.answered_at.label("account_answered_at"),
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
    *ACCOUNT,
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
    wanted = equal({Subscription.product_code: product_code, Subscription.customer_aws_account_id: digits(account_id)})
    if email is not None:
        wanted.append(func.lower(Registration.email) == email.lower())
    if unlinked:
        wanted.append(Registration.parked_token_id.is_not(None))
    return rows(session, _registrations().where(*wanted).order_by(Registration.id.desc()).limit(limit))


@query
def registration(session: Session, registration_id: UUID) -> Row | None:
    """Return one registration with its purchase."""
    return next(iter(rows(session, _registrations().where(Registration.id == registration_id))), None)


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
def _batch_after(session: Session, last_id: UUID | None) -> list[Row]:
    # Ids are made in order of time: the next batch starts where this one ended, without counting rows again.
    statement = _registrations().order_by(Registration.id).limit(BATCH_ROWS)
    return rows(session, statement if last_id is None else statement.where(Registration.id > last_id))


def _registrations() -> Select[Any]:
    with_purchase = select(*REGISTRATION).outerjoin(Subscription, Subscription.id == Registration.subscription_id)
    with_account = with_purchase.outerjoin(Account, Account.subscription_id == Subscription.id)
    return with_account.outerjoin(ParkedToken, ParkedToken.id == Registration.parked_token_id)
