"""Untold: registrations that their product was never told of, as those from before it took hand-offs."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, Select, select
from sqlalchemy.orm import Session

from app.database.transactions import query, transaction
from app.models import Registration, Subscription
from app.services.outbox import announce, queue
from app.services.purchases import subscriptions
from app.services.purchases.status import FINAL


@query
def find(session: Session, product_code: str) -> Sequence[UUID]:
    """Return the ids of the subscriptions, oldest first, whose registration the product does not know.

    A purchase that gives no access any more is none of them.
    """
    return session.scalars(_untold().where(Subscription.product_code == product_code).order_by(Registration.id)).all()


@transaction
def tell(connection: Connection, subscription_id: UUID) -> bool:
    """Promise the product the registration, and mail nobody; return False where it knows of it by now."""
    subscriptions.hold(connection, subscription_id)
    if connection.execute(_untold().where(Subscription.id == subscription_id)).first() is None:
        return False
    announce.tell(connection, subscription_id, announce.COMPLETED, is_mailed=False)
    return True


def _untold() -> Select[tuple[UUID]]:
    registered = select(Subscription.id).join(Registration, Registration.subscription_id == Subscription.id)
    return registered.where(Subscription.status.not_in(FINAL), ~queue.is_told_of(Subscription.id))
