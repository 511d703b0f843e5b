"""Recomputing: writes on a subscription's row what its events and entitlements make of it."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, select

from app.config import products
from app.models import Event
from app.services.outbox import announce
from app.services.purchases import aws_event, entitlements, status, subscriptions

SELECT_EVENTS = select(Event.aws_id, Event.kind, Event.happened_at, Event.received_at, Event.body).where(
    Event.subscription_id == bindparam("subscription_id")
)


def update_subscription(connection: Connection, subscription_id: UUID) -> status.SubscriptionState | None:
    """Bring the subscription up to date with its events, and announce a new status.

    Returns the state with a new status; None where the status stays, or where the subscription was merged into another.
    """
    # Without the lock, another transaction could commit an event between the reading of events and the writing here.
    parameters = {"subscription_id": subscription_id}
    subscription = connection.execute(subscriptions.LOCK_ROW, parameters).one_or_none()
    if subscription is None:
        return None
    rows = connection.execute(SELECT_EVENTS, parameters).all()
    product = products.current().get(subscription.product_code)
    is_contract = product is not None and product.pricing == "contract"
    state = status.derive_state(
        (aws_event.parse_body(row.body, row.aws_id, row.happened_at) for row in rows),
        subscription.agreement_id,
        current_license_id=subscription.purchase_key,
        is_contract=is_contract,
        has_entitlements=_has_entitlements(subscription, rows) if is_contract else None,
    )
    if state != status.SubscriptionState(**{field.name: getattr(subscription, field.name) for field in fields(state)}):
        subscriptions.update_row(connection, subscription_id, {**asdict(state), "changed_at": datetime.now(UTC)})
    if state.status == subscription.status:
        return None
    announce.announce(connection, subscription_id, announce.TYPE_BY_STATUS[state.status])
    return state


def _has_entitlements(subscription: Row[Any], events: Sequence[Row[Any]]) -> bool | None:
    """Return whether some entitlement has not expired; None where GetEntitlements is older than the last change."""
    read_at = subscription.entitlements_read_at
    changes = (event.received_at for event in events if event.kind == aws_event.AwsEventKind.ENTITLEMENT_UPDATED)
    if read_at is None or any(read_at < changed_at for changed_at in changes):
        return None
    return any(not entitlement.expired(read_at) for entitlement in entitlements.load_stored(subscription))
