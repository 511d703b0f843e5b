"""Standing: what a subscription's events and entitlements make of it, written on its row."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select, update

from app.config import products
from app.models import Event, Subscription
from app.services.outbox import announce
from app.services.purchases import aws_event, entitlements, status, subscriptions
from app.services.purchases.status import SubscriptionState

EVENT_COLUMNS = (Event.aws_id, Event.kind, Event.happened_at, Event.received_at, Event.body)


def update_subscription(connection: Connection, subscription_id: UUID) -> str | None:
    """Bring the subscription up to date with its events, and return its new status; None where that is the old one."""
    # Nobody else's event of it is committed between the reading of them and the writing of what they come to.
    subscriptions.lock(connection, subscription_id)
    found = connection.execute(select(Subscription.__table__).where(Subscription.id == subscription_id)).one_or_none()
    if found is None:
        return None
    events = connection.execute(select(*EVENT_COLUMNS).where(Event.subscription_id == subscription_id)).all()
    state = _derive_state(found, events)
    if state != SubscriptionState(
        found.status, found.status_since, found.free_trial, found.ends_at, found.agreement_id
    ):
        values = {
            "agreement_id": state.agreement_id,
            "status": state.status,
            "status_since": state.status_since,
            "free_trial": state.free_trial,
            "ends_at": state.ends_at,
            "changed_at": datetime.now(UTC),
        }
        connection.execute(update(Subscription).where(Subscription.id == subscription_id).values(values))
    if state.status == found.status:
        return None
    announce.announce(connection, subscription_id, announce.TYPE_BY_STATUS[state.status])
    return state.status


def _derive_state(subscription: Row[Any], events: Sequence[Row[Any]]) -> SubscriptionState:
    told = [aws_event.parse_body(event.body, event.aws_id, event.happened_at) for event in events]
    known: dict[str, Any] = {"agreement_id": subscription.agreement_id, "current_license_id": subscription.purchase_key}
    if _pricing_of(subscription.product_code) != "contract":
        return status.derive_state(told, **known)
    return status.derive_state(
        told, **known, is_contract=True, has_entitlements=_has_entitlements(subscription, events)
    )


def _has_entitlements(subscription: Row[Any], events: Sequence[Row[Any]]) -> bool | None:
    changed = max((event.received_at for event in events if event.kind == "entitlement-updated"), default=None)
    read_at = subscription.entitlements_read_at
    if read_at is None or (changed and read_at < changed):
        return None
    return any(not entitlement.expired(read_at) for entitlement in entitlements.load_stored(subscription))


def _pricing_of(product_code: str) -> str | None:
    product = products.current().get(product_code)
    return product.pricing if product else None
