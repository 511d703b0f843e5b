"""The customer's other purchases of the product that have an account: a new purchase may use one of those."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid, and_, bindparam, case, or_, select

from app.database.transactions import query
from app.models import Account, Registration, Subscription
from app.models.purchases import FINAL_STATUSES
from app.services.purchases.purchase import Purchase, Resolved
from app.services.signup import registrations

MAX_LISTED = 5

IS_CHOSEN = Subscription.id == bindparam("chosen_id", type_=Uuid)
HAS_ACCOUNT = and_(
    Registration.id.is_not(None),
    Account.subscription_id.is_not(None),
    Account.refused.is_(None),
    Subscription.status.not_in(FINAL_STATUSES),
)
WITH_ACCOUNT = (
    select(Subscription.id, Registration.created_at, Registration.company, Account.reference)
    .outerjoin(Registration, Registration.subscription_id == Subscription.id)
    .outerjoin(Account, Account.subscription_id == Subscription.id)
    .where(
        Subscription.customer_aws_account_id == bindparam("account_id"),
        Subscription.product_code == bindparam("product_code"),
        or_(HAS_ACCOUNT, IS_CHOSEN),
    )
    .order_by(case((IS_CHOSEN, 0), else_=1), Subscription.id.desc())
    # One more, because the purchase itself may be among them.
    .limit(MAX_LISTED + 1)
)


@query
def find_with_registration(connection: Connection, purchase: Purchase) -> tuple[Row[Any] | None, list[Row[Any]] | None]:
    """Return the purchase's own registration; without one, the customer's other purchases with an account as well."""
    registration, _ = registrations.find_with_reply(connection, *purchase.ids)
    return registration, None if registration else _find_with_account(connection, purchase)


def find_with_account(purchase: Purchase, chosen_id: UUID | None = None) -> list[Row[Any]]:
    """Return the customer's other purchases with an account, newest first; none while the purchase is pending.

    The one that the buyer chose before is always among them. `created_at` and `company` are None where the registration
    was erased. `reference` is what the product calls the account, None where it has not said.
    """
    return _read_with_account(purchase, chosen_id) if isinstance(purchase, Resolved) else []


def _find_with_account(connection: Connection, purchase: Purchase, chosen_id: UUID | None = None) -> list[Row[Any]]:
    if not isinstance(purchase, Resolved) or not purchase.landing.customer.customer_aws_account_id:
        return []
    customer = purchase.landing.customer
    ids = {"account_id": customer.customer_aws_account_id, "product_code": customer.product_code}
    rows = connection.execute(WITH_ACCOUNT, {**ids, "chosen_id": chosen_id})
    return [row for row in rows if row.id != purchase.subscription_id][:MAX_LISTED]


_read_with_account = query(_find_with_account)
