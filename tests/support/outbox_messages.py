"""Fills the outbox by registering customers and applying events; claims, sends and lists its messages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Row, select

from app.aws.customer import license_id
from app.config import products
from app.database import transactions
from app.models import OutboxMessage
from app.services.delivery import send_handoff, send_mail
from app.services.events import apply
from app.services.outbox import queue
from app.services.outbox.queue import ClaimedMessage
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Resolved
from app.services.signup import registrations
from tests.support import factories, stored_rows
from tests.support.aws_events import eventbridge_event, parse_event
from tests.support.clock import time_passes
from tests.support.factories import PRODUCT_CODE

SITE_URL = "https://start.acme.example"
HANDOFF_LANE = queue.handoff_lane(PRODUCT_CODE)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def register_customer(app: Flask, customer: dict[str, Any] | None = None, **answers: Any) -> UUID:
    """Let a customer with these values land and register; return the subscription's id."""
    with app.app_context():
        purchase = factories.resolved(**customer or {})
        subscription_id = subscriptions.upsert_from_landing(purchase.landing)
        registrations.complete(purchase, factories.answers(**answers))
    return subscription_id


def registration_id_of(app: Flask, subscription_id: UUID) -> UUID:
    with app.app_context():
        registration = registrations.find_by_purchase(Resolved(factories.landing(), subscription_id))
    assert registration
    return UUID(registration.id.hex)


def receive_license_event(app: Flask, kind: str, happened_at: datetime, **overrides: Any) -> None:
    """Apply an event about the license of `factories.customer()`."""
    customer = factories.customer()
    names = {
        "license": license_id(str(customer.license_arn)),
        "agreement": customer.agreement_id,
        "account": customer.customer_aws_account_id,
    }
    with app.app_context():
        apply.ingest(parse_event(eventbridge_event(kind, happened_at, **{**names, **overrides})))


def claim_next(app: Flask, lane: str = HANDOFF_LANE, **after: int) -> ClaimedMessage | None:
    """Claim the lane's next message that is due after this delay: `seconds=30`, say."""
    with app.app_context(), time_passes(**after):
        return queue.claim(lane)


def claim_due(app: Flask, lane: str = HANDOFF_LANE, **after: int) -> ClaimedMessage:
    """Claim the lane's next due message; fail if none is due."""
    claimed = claim_next(app, lane, **after)
    assert claimed
    return claimed


def settle_message(app: Flask, message: ClaimedMessage, outcome: str = "delivered", **values: Any) -> UUID | None:
    """Settle a claimed message; return what `queue.settle` returns."""
    with app.app_context():
        return transactions.write(lambda connection: queue.settle(connection, message, outcome, **values))


def send_due_handoffs(app: Flask) -> list[bool]:
    """Send every due hand-off; return for each whether it was settled."""
    settled = []
    with app.app_context():
        endpoint = products.current().handoff_endpoints.get(PRODUCT_CODE)
        while endpoint and (claimed := queue.claim(HANDOFF_LANE)):
            settled.append(send_handoff.send(endpoint, claimed, allow_private=True))
    return settled


def send_outbox_mails(app: Flask) -> list[bool]:
    """Send every due mail; return for each whether it was settled."""
    settled = []
    with app.app_context():
        while claimed := queue.claim(queue.MAIL_LANE):
            settled.append(send_mail.send(claimed, site_url=SITE_URL))
    return settled


def outbox_messages(app: Flask) -> Sequence[Row[Any]]:
    """Return all hand-offs and mails, hand-offs by sequence number."""
    in_order = select(OutboxMessage.__table__).order_by(OutboxMessage.sequence, OutboxMessage.id)
    return stored_rows.fetch_rows(app, in_order)


def handoff_messages(app: Flask) -> list[Row[Any]]:
    """Return all hand-offs by sequence number."""
    return [message for message in outbox_messages(app) if message.sequence]


def mail_messages(app: Flask) -> list[Row[Any]]:
    """Return all mails, the oldest first."""
    return [message for message in outbox_messages(app) if message.lane == queue.MAIL_LANE]
