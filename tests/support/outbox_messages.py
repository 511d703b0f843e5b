"""What the outbox promises in tests: lets things happen that are told, and sends what is due."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import time_machine
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config import handoff_endpoints
from app.database import engine
from app.models import OutboxMessage
from app.services.delivery import send_handoff, send_mail
from app.services.events import apply
from app.services.outbox import queue
from app.services.outbox.queue import ClaimedMessage
from app.services.purchases import keys, subscriptions
from app.services.purchases.purchase import Resolved
from app.services.signup import registrations
from tests.support import factories
from tests.support.aws_events import eventbridge_event, parse_event
from tests.support.factories import PRODUCT_CODE

LICENSE_UPDATED, LICENSE_DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
SITE_URL = "https://start.acme.example"
HANDOFF_LANE = queue.handoff_lane(PRODUCT_CODE)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def register_customer(app: Flask, customer: dict[str, Any] | None = None, **answers: Any) -> UUID:
    """Let a customer, the values given being theirs, land and send the form; return the subscription's id."""
    with app.app_context():
        arrived = factories.resolved(**customer or {})
        subscription_id = subscriptions.upsert_from_landing(arrived.landing)
        registrations.complete(arrived, factories.answers(**answers))
    return subscription_id


def registration_id_of(app: Flask, subscription_id: UUID) -> UUID:
    """Return the id of the subscription's registration."""
    with app.app_context():
        found = registrations.find_by_purchase(Resolved(factories.landing(), subscription_id))
    assert found
    return found.id


def receive_license_event(app: Flask, kind: str, happened_at: datetime, **overrides: Any) -> None:
    """Let AWS tell of the usual customer's license."""
    customer = factories.customer()
    its = {
        "license": keys.license_id(str(customer.license_arn)),
        "agreement": customer.agreement_id,
        "account": customer.customer_aws_account_id,
    }
    with app.app_context():
        apply.ingest(parse_event(eventbridge_event(kind, happened_at, **{**its, **overrides})))


def claim_next(app: Flask, lane: str = HANDOFF_LANE, **after: int) -> ClaimedMessage | None:
    """Claim what is due in the lane after that time."""
    with app.app_context():
        return queue.claim(lane, datetime.now(UTC) + timedelta(**after))


def claim_due(app: Flask, lane: str = HANDOFF_LANE, **after: int) -> ClaimedMessage:
    """Claim what is due in the lane, which something has to be."""
    found = claim_next(app, lane, **after)
    assert found
    return found


def settle_message(app: Flask, message: ClaimedMessage, outcome: str = "delivered", **values: Any) -> UUID | None:
    """Settle what was claimed, and return what the outbox does."""
    with app.app_context():
        return engine.current_database().write(lambda connection: queue.settle(connection, message, outcome, **values))


def send_due_handoffs(app: Flask) -> list[bool]:
    """Send whatever hand-off is due, and return for each whether it was settled."""
    settled = []
    with app.app_context():
        to = handoff_endpoints.for_product(PRODUCT_CODE)
        while to and (due := queue.claim(HANDOFF_LANE, datetime.now(UTC))):
            settled.append(send_handoff.send(to, due, allow_private=True))
    return settled


def send_outbox_mails(app: Flask) -> list[bool]:
    """Send whatever mail is due, and return for each whether it was settled."""
    settled = []
    with app.app_context():
        while due := queue.claim(queue.MAIL_LANE, datetime.now(UTC)):
            settled.append(send_mail.send(due, site_url=SITE_URL))
    return settled


def outbox_messages(app: Flask) -> list[OutboxMessage]:
    """Return the hand-offs and mails, each subscription's hand-offs in their order."""
    with app.app_context(), Session(engine.current_database().read_engine) as session:
        return list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.sequence, OutboxMessage.id)))


def handoff_messages(app: Flask) -> list[OutboxMessage]:
    """Return the hand-offs, in their order."""
    return [message for message in outbox_messages(app) if message.sequence]


def mail_messages(app: Flask) -> list[OutboxMessage]:
    """Return the mails, the oldest first."""
    return [message for message in outbox_messages(app) if message.lane == queue.MAIL_LANE]


@contextmanager
def time_passes(**passed: int) -> Iterator[None]:
    """Let that much time pass."""
    with time_machine.travel(datetime.now(UTC) + timedelta(**passed)):
        yield
