"""Backfill: hand-offs for registrations that were completed before their product had an endpoint."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, select

from app.database.transactions import query, transaction
from app.models import OutboxMessage, Registration, Subscription
from app.models.purchases import FINAL_STATUSES
from app.services.outbox import announce, payload
from app.services.purchases import subscriptions

HAS_HANDOFF = exists().where(OutboxMessage.subscription_id == Subscription.id, OutboxMessage.sequence.is_not(None))
# A purchase that has ended needs no account any more.
SELECT_UNANNOUNCED = select(Subscription.id).where(
    Registration.subscription_id == Subscription.id, Subscription.status.not_in(FINAL_STATUSES), ~HAS_HANDOFF
)
SELECT_OF_PRODUCT = SELECT_UNANNOUNCED.where(Subscription.product_code == bindparam("code")).order_by(Registration.id)
SELECT_BY_ID = SELECT_UNANNOUNCED.where(Subscription.id == bindparam("subscription"))


@query
def find_unannounced(connection: Connection, product_code: str) -> Sequence[UUID]:
    """Return the subscriptions with a registration and no hand-off yet, oldest first."""
    return connection.scalars(SELECT_OF_PRODUCT, {"code": product_code}).all()


@transaction
def enqueue(connection: Connection, subscription_id: UUID) -> bool:
    """Enqueue the hand-off of the registration, without mails; return False where it has one by now."""
    subscriptions.lock(connection, subscription_id)
    if connection.execute(SELECT_BY_ID, {"subscription": subscription_id}).first() is None:
        return False
    announce.announce(connection, subscription_id, payload.HandoffType.REGISTRATION_COMPLETED, with_mails=False)
    return True
