"""Announces what happened to a subscription: stores the hand-off and the mails, and marks the subscription as changed.

Everything is stored in the caller's transaction, together with the change itself. The worker sends it afterwards.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.aws.customer import license_id
from app.config import products
from app.database import clock
from app.database.rows import RowDict
from app.services.outbox import payload, payload_part, queue
from app.services.outbox.payload import HandoffType, StoredRows, UnbilledHour
from app.services.purchases import subscriptions

# These ask the product for the account: see account_reply.
REGISTRATION_TYPES = (HandoffType.REGISTRATION_COMPLETED, HandoffType.REGISTRATION_UPDATED)
TYPE_BY_STATUS: Mapping[str, HandoffType] = {
    "pending": HandoffType.SUBSCRIPTION_PENDING,
    "active": HandoffType.SUBSCRIPTION_ACTIVATED,
    "ending": HandoffType.SUBSCRIPTION_ENDING,
    "ended": HandoffType.SUBSCRIPTION_ENDED,
    "failed": HandoffType.SUBSCRIPTION_FAILED,
}
MAILS_BY_TYPE: Mapping[HandoffType, tuple[str, ...]] = {
    HandoffType.REGISTRATION_COMPLETED: ("buyer_registered", "seller_registered"),
    HandoffType.SUBSCRIPTION_ACTIVATED: ("buyer_access_began", "seller_activated"),
    HandoffType.SUBSCRIPTION_ENDING: ("seller_ending",),
    HandoffType.SUBSCRIPTION_ENDED: ("buyer_access_ended", "seller_ended"),
    HandoffType.SUBSCRIPTION_FAILED: ("buyer_purchase_failed", "seller_purchase_failed"),
}


def announce(
    connection: Connection,
    subscription_id: UUID,
    type_: HandoffType,
    *,
    rows: StoredRows | None = None,
    with_mails: bool = True,
    is_touched: bool = False,
) -> None:
    """Mark the subscription as changed, and enqueue the hand-off and the mails of what happened.

    A caller who has its rows, or has marked it together with the change, says so and spares the statements.
    The caller has locked the subscription; otherwise two hand-offs could get the same sequence. A product without an
    endpoint gets no hand-off, and no mail is stored while mail is off.
    """
    now = clock.now()
    if not is_touched:
        touch(connection, subscription_id)
    configured = products.current()
    if not configured.handoff_endpoints and not configured.sends_mail:
        return
    rows = rows or payload.load_rows(connection, subscription_id)
    if rows is None:
        return
    messages, code = [], rows.subscription.product_code
    if code in configured.handoff_endpoints:
        messages.append(_handoff(connection, rows, type_, now))
    if with_mails and configured.sends_mail and code in configured:
        messages += _mails(rows, type_, now)
    queue.enqueue(connection, messages)


def announce_license(connection: Connection, subscription_id: UUID, product_code: str, current_license_id: str) -> None:
    """Announce the license to a product whose latest hand-off has another: it meters with the license.

    A renewal or a landing may have changed it since. The caller has locked the subscription.
    """
    if product_code not in products.current().handoff_endpoints:
        return
    handoff = connection.execute(queue.LATEST_UNCANCELLED_HANDOFF, {"subscription": subscription_id}).one_or_none()
    sent_license = handoff and handoff.payload["data"]["subscription"]["license_arn"]
    if handoff and license_id(sent_license or "") != current_license_id:
        announce(connection, subscription_id, HandoffType.LICENSE_CHANGED)


def announce_unbilled(connection: Connection, subscription_id: UUID, hours: Sequence[UnbilledHour]) -> None:
    """Announce hours of the subscription that AWS does not bill. The caller has locked the subscription."""
    touch(connection, subscription_id)
    rows = payload.load_rows(connection, subscription_id)
    if rows and rows.subscription.product_code in products.current().handoff_endpoints:
        usage = payload_part.as_json(list(hours))
        queue.enqueue(connection, [_handoff(connection, rows, HandoffType.USAGE_REFUSED, clock.now(), usage=usage)])


def touch(connection: Connection, subscription_id: UUID) -> None:
    """Tell the readers of the feed that the subscription has changed."""
    subscriptions.update_row(connection, subscription_id, subscriptions.change())


def _handoff(connection: Connection, rows: StoredRows, type_: HandoffType, now: datetime, **more: Any) -> RowDict:
    """Return the hand-off to enqueue; `more` is what its data has beside the snapshot."""
    subscription, registration, _ = rows
    head = {"type": type_, "timestamp": payload_part.rfc3339(now), "version": payload.VERSION}
    handoff = {**head, "data": {**payload_part.as_json(payload.build(rows)), **more}}
    lane = queue.handoff_lane(subscription.product_code)
    return queue.next_handoff(connection, lane, subscription.id, registration.id if registration else None, handoff)


def _mails(rows: StoredRows, type_: HandoffType, now: datetime) -> list[RowDict]:
    subscription, registration, _ = rows
    # A mail names the time of AWS's event, which may have arrived long after.
    status_since = subscription.status_since if type_ in TYPE_BY_STATUS.values() else None
    happened_at = payload_part.rfc3339(status_since or now)
    ids = {"subscription_id": subscription.id, "registration_id": registration.id if registration else None}
    return [
        queue.new_mail(template, payload={"happened_at": happened_at}, **ids)
        for template in MAILS_BY_TYPE.get(type_, ())
        # Only a registration has the buyer's address.
        if registration or not template.startswith("buyer_")
    ]
