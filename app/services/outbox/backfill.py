"""Untold: registrations that their product was never told of, as those from before it took hand-offs."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, Select, select
from sqlalchemy.orm import Session

from app.database.transactions import query, transaction
from app.models import Registration, Subscription
from app.services.outbox import announce, queue
from app.services.purchases import subscriptions
from app.services.purchases.status import FINAL_STATUSES


@query
def find_unannounced(session: Session, product_code: str) -> Sequence[UUID]:
    """Return the ids of the subscriptions, oldest first, whose registration the product does not know.

    A purchase that gives no access any more is none of them.
    """
    return session.scalars(
        _select_unannounced().where(Subscription.product_code == product_code).order_by(Registration.id)
    ).all()


@transaction
def enqueue(connection: Connection, subscription_id: UUID) -> bool:
    """Promise the product the registration, and mail nobody; return False where it knows of it by now."""
    subscriptions.lock(connection, subscription_id)
    if connection.execute(_select_unannounced().where(Subscription.id == subscription_id)).first() is None:
        return False
    announce.announce(connection, subscription_id, announce.REGISTRATION_COMPLETED, with_mails=False)
    return True


def _select_unannounced() -> Select[tuple[UUID]]:
    registered = select(Subscription.id).join(Registration, Registration.subscription_id == Subscription.id)
    return registered.where(Subscription.status.not_in(FINAL_STATUSES), ~queue.has_handoff(Subscription.id))
