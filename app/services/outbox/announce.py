"""Changes: what other programs and people are told when something becomes of a subscription."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, update

from app.config import handoff_endpoints, products
from app.mail import mailer
from app.models import Subscription
from app.services.outbox import payload as outbox_payload
from app.services.outbox import queue
from app.services.outbox.payload import SubscriptionSnapshot

REGISTRATION_COMPLETED, REGISTRATION_UPDATED = "registration.completed", "registration.updated"
ENTITLEMENTS_CHANGED, LICENSE_CHANGED = "entitlements.changed", "license.changed"
# What tells of the registration, and so asks the product for its account.
REGISTRATION_TYPES = (REGISTRATION_COMPLETED, REGISTRATION_UPDATED)
TYPE_BY_STATUS = {
    "pending": "subscription.pending",
    "active": "subscription.activated",
    "ending": "subscription.ending",
    "ended": "subscription.ended",
    "failed": "subscription.failed",
}
MAILS_BY_TYPE: dict[str, tuple[str, ...]] = {
    "registration.completed": ("buyer_registered", "seller_registered"),
    "subscription.activated": ("buyer_access_began", "seller_activated"),
    "subscription.ending": ("seller_ending",),
    "subscription.ended": ("buyer_access_ended", "seller_ended"),
    "subscription.failed": ("buyer_purchase_failed", "seller_purchase_failed"),
}


def announce(connection: Connection, subscription_id: UUID, type_: str, *, with_mails: bool = True) -> None:
    """Promise the hand-off and the mails of an event, within the transaction of a caller who holds the subscription.

    `is_mailed` is whether people are to hear of it, too.
    """
    now = datetime.now(UTC)
    touch(connection, subscription_id, now)
    told = (
        outbox_payload.load(connection, subscription_id)
        if handoff_endpoints.by_product_code() or mailer.is_enabled()
        else None
    )
    if told is None:
        return
    _enqueue_handoff(connection, told, type_, now)
    if with_mails and mailer.is_enabled() and told.subscription.product_code in products.current():
        _enqueue_mails(connection, told, type_, now)


def touch(connection: Connection, subscription_id: UUID, changed_at: datetime) -> None:
    """Let those who ask for changes find the subscription."""
    connection.execute(update(Subscription).where(Subscription.id == subscription_id).values(changed_at=changed_at))


def _enqueue_handoff(connection: Connection, snapshot: SubscriptionSnapshot, type_: str, now: datetime) -> None:
    code = snapshot.subscription.product_code
    if handoff_endpoints.for_product(code) is None:
        return
    contents = {
        "subscription": snapshot.subscription.model_dump(mode="json"),
        "registration": snapshot.registration.model_dump(mode="json") if snapshot.registration else None,
        "account": snapshot.account.model_dump(mode="json"),
    }
    payload = {
        "type": type_,
        "timestamp": outbox_payload.rfc3339(now),
        "version": outbox_payload.VERSION,
        "data": contents,
    }
    registration_id = snapshot.registration.id if snapshot.registration else None
    queue.enqueue_handoff(connection, queue.handoff_lane(code), snapshot.subscription.id, registration_id, payload)


def _enqueue_mails(connection: Connection, snapshot: SubscriptionSnapshot, type_: str, now: datetime) -> None:
    registration_id = snapshot.registration.id if snapshot.registration else None
    # AWS may have told of it long after.
    happened_at = snapshot.subscription.status_since if type_ in TYPE_BY_STATUS.values() else now
    for name in MAILS_BY_TYPE.get(type_, ()):
        # A buyer who has not registered has no address.
        if registration_id or not name.startswith("buyer_"):
            queue.enqueue_mail(
                connection,
                name,
                subscription_id=snapshot.subscription.id,
                registration_id=registration_id,
                payload={"happened_at": outbox_payload.rfc3339(happened_at or now)},
            )
