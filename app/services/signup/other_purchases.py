"""Siblings: the other purchases of the same AWS account that have an account in the product already."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, case, or_, select
from sqlalchemy.orm import Session

from app.database.transactions import query
from app.models import Account, Registration, Subscription
from app.services.purchases.purchase import Purchase, Resolved
from app.services.purchases.status import FINAL_STATUSES

MAX_LISTED = 5


@dataclass(frozen=True)
class OtherPurchase:
    """Another purchase: its subscription, when its buyer registered and for which company, the product's reference.

    Without a registration that was erased since, or never there, only the reference is known.
    """

    subscription_id: UUID
    registered_at: datetime | None
    company: str | None
    reference: str | None


def find_with_account(purchase: Purchase, chosen_id: UUID | None = None) -> list[OtherPurchase]:
    """Return the purchase's siblings, newest first; none where AWS has not told whose it is.

    The one that was chosen before is among them, even if nobody would be offered it now.

    Raises:
        DatabaseUnavailable: nobody can say.
    """
    if not isinstance(purchase, Resolved) or not purchase.landing.customer.customer_aws_account_id:
        return []
    return _find_with_account(purchase.landing.customer.customer_aws_account_id, purchase, chosen_id)


@query
def _find_with_account(
    session: Session, account_id: str, purchase: Resolved, chosen_id: UUID | None
) -> list[OtherPurchase]:
    has_account = (
        Registration.id.is_not(None),
        Account.subscription_id.is_not(None),
        Account.refused.is_(None),
        Subscription.status.not_in(FINAL_STATUSES),
    )
    found = (
        select(Subscription.id, Registration.created_at, Registration.company, Account.reference)
        .outerjoin(Registration, Registration.subscription_id == Subscription.id)
        .outerjoin(Account, Account.subscription_id == Subscription.id)
        .where(
            Subscription.customer_aws_account_id == account_id,
            Subscription.product_code == purchase.landing.customer.product_code,
            or_(and_(*has_account), Subscription.id == chosen_id),
        )
        .order_by(case((Subscription.id == chosen_id, 0), else_=1), Subscription.id.desc())
        .limit(MAX_LISTED + 1)
    )
    return [OtherPurchase(*row) for row in session.execute(found) if row[0] != purchase.subscription_id][:MAX_LISTED]
