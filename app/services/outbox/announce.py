"""Changes: what other programs and people are told when something becomes of a subscription."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, update

from app.config import handoff_endpoints, products
from app.mail import mailer
from app.models import Subscription
from app.services.outbox import payload as outbox_payload
from app.services.outbox import queue
from app.services.outbox.payload import Told

COMPLETED, UPDATED = "registration.completed", "registration.updated"
ENTITLED, LICENSED = "entitlements.changed", "license.changed"
# What tells of the registration, and so asks the product for its account.
OF_REGISTRATION = (COMPLETED, UPDATED)
BY_STATUS = {
    "pending": "subscription.pending",
    "active": "subscription.activated",
    "ending": "subscription.ending",
    "ended": "subscription.ended",
    "failed": "subscription.failed",
}
LETTERS: dict[str, tuple[str, ...]] = {
    "registration.completed": ("buyer_registered", "seller_registered"),
    "subscription.activated": ("buyer_access_began", "seller_activated"),
    "subscription.ending": ("seller_ending",),
    "subscription.ended": ("buyer_access_ended", "seller_ended"),
    "subscription.failed": ("buyer_purchase_failed", "seller_purchase_failed"),
}


def tell(connection: Connection, subscription_id: UUID, type_: str, *, is_mailed: bool = True) -> None:
    """Promise the hand-off and the mails of an event, within the transaction of a caller who holds the subscription.

    `is_mailed` is whether people are to hear of it, too.
    """
    now = datetime.now(UTC)
    note(connection, subscription_id, now)
    told = outbox_payload.read(connection, subscription_id) if handoff_endpoints.every() or mailer.is_on() else None
    if told is None:
        return
    _promise_handoff(connection, told, type_, now)
    if is_mailed and mailer.is_on() and told.subscription.product_code in products.current():
        _promise_letters(connection, told, type_, now)


def note(connection: Connection, subscription_id: UUID, now: datetime) -> None:
    """Let those who ask for changes find the subscription."""
    connection.execute(update(Subscription).where(Subscription.id == subscription_id).values(changed_at=now))


def _promise_handoff(connection: Connection, told: Told, type_: str, now: datetime) -> None:
    code = told.subscription.product_code
    if handoff_endpoints.of(code) is None:
        return
    contents = {
        "subscription": told.subscription.model_dump(mode="json"),
        "registration": told.registration.model_dump(mode="json") if told.registration else None,
        "account": told.account.model_dump(mode="json"),
    }
    payload = {
        "type": type_,
        "timestamp": outbox_payload.spelt(now),
        "version": outbox_payload.VERSION,
        "data": contents,
    }
    registration_id = told.registration.id if told.registration else None
    queue.put_handoff(connection, queue.lane(code), told.subscription.id, registration_id, payload)


def _promise_letters(connection: Connection, told: Told, type_: str, now: datetime) -> None:
    registration_id = told.registration.id if told.registration else None
    # AWS may have told of it long after.
    happened_at = told.subscription.status_since if type_ in BY_STATUS.values() else now
    for name in LETTERS.get(type_, ()):
        # A buyer who has not registered has no address.
        if registration_id or not name.startswith("buyer_"):
            queue.put_mail(
                connection,
                name,
                subscription_id=told.subscription.id,
                registration_id=registration_id,
                about={"happened_at": outbox_payload.spelt(happened_at or now)},
            )
