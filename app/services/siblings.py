"""Siblings: the other purchases of the same AWS account that have an account in the product already."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import query
from app.errors import DatabaseUnavailable
from app.models import Account, Registration, Subscription
from app.services.landings import Arrived, Purchase

MOST = 5


@dataclass(frozen=True)
class Sibling:
    """Another purchase: its subscription, when its buyer registered, for which company, and the product's reference."""

    subscription_id: UUID
    registered_at: datetime
    company: str
    reference: str | None


def of(purchase: Purchase) -> list[Sibling]:
    """Return the purchase's siblings, newest first; none where AWS has not told whose it is, or nobody can say."""
    if not isinstance(purchase, Arrived) or not purchase.arrival.customer.account_id:
        return []
    try:
        return _of(purchase.arrival.customer.account_id, purchase)
    except DatabaseUnavailable:
        return []


@query
def _of(session: Session, account_id: str, purchase: Arrived) -> list[Sibling]:
    found = (
        select(Subscription.id, Registration.created_at, Registration.company, Account.reference)
        .join(Registration, Registration.subscription_id == Subscription.id)
        .outerjoin(Account, Account.subscription_id == Subscription.id)
        .where(
            Subscription.customer_aws_account_id == account_id,
            Subscription.product_code == purchase.arrival.customer.product_code,
        )
        .order_by(Registration.created_at.desc())
        .limit(MOST + 1)
    )
    return [Sibling(*row) for row in session.execute(found) if row[0] != purchase.subscription_id][:MOST]
