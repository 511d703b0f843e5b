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
from app.database import transactions
from app.models import OutboxMessage
from app.services.delivery import send_handoff, send_mail
from app.services.events import apply
from app.services.outbox import queue
from app.services.outbox.queue import Claimed
from app.services.purchases import keys, subscriptions
from app.services.purchases.purchase import Arrived
from app.services.signup import registrations
from tests import factories
from tests.events import eventbridge, notice
from tests.factories import CODE

UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
SITE_URL = "https://start.acme.example"
LANE = queue.lane(CODE)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def register(app: Flask, customer: dict[str, Any] | None = None, **answers: Any) -> UUID:
    """Let a customer, the values given being theirs, land and send the form; return the subscription's id."""
    with app.app_context():
        arrived = factories.arrived(**customer or {})
        subscription_id = subscriptions.arrive(arrived.arrival)
        registrations.complete(arrived, factories.answers(**answers))
    return subscription_id


def registration_of(app: Flask, subscription_id: UUID) -> UUID:
    """Return the id of the subscription's registration."""
    with app.app_context():
        found = registrations.of_purchase(Arrived(factories.arrival(), subscription_id))
    assert found
    return found.id


def is_told(app: Flask, kind: str, happened_at: datetime, **about: Any) -> None:
    """Let AWS tell of the usual customer's license."""
    customer = factories.customer()
    its = {
        "license": keys.license_id(str(customer.license_arn)),
        "agreement": customer.agreement_id,
        "account": customer.account_id,
    }
    with app.app_context():
        apply.receive(notice(eventbridge(kind, happened_at, **{**its, **about})))


def claim(app: Flask, lane: str = LANE, **later_by: int) -> Claimed | None:
    """Claim what is due in the lane after that time."""
    with app.app_context():
        return queue.claim(lane, datetime.now(UTC) + timedelta(**later_by))


def claimed(app: Flask, lane: str = LANE, **later_by: int) -> Claimed:
    """Claim what is due in the lane, which something has to be."""
    found = claim(app, lane, **later_by)
    assert found
    return found


def settle(app: Flask, message: Claimed, outcome: str = "delivered", **values: Any) -> UUID | None:
    """Settle what was claimed, and return what the outbox does."""
    with app.app_context():
        return transactions.current().write(lambda connection: queue.settle(connection, message, outcome, **values))


def send_all(app: Flask) -> list[bool]:
    """Send whatever hand-off is due, and return for each whether it was settled."""
    settled = []
    with app.app_context():
        to = handoff_endpoints.of(CODE)
        while to and (due := queue.claim(LANE, datetime.now(UTC))):
            settled.append(send_handoff.send(to, due, allow_private=True))
    return settled


def mail_all(app: Flask) -> list[bool]:
    """Send whatever mail is due, and return for each whether it was settled."""
    settled = []
    with app.app_context():
        while due := queue.claim(queue.MAIL, datetime.now(UTC)):
            settled.append(send_mail.send(due, site_url=SITE_URL))
    return settled


def stored(app: Flask) -> list[OutboxMessage]:
    """Return the hand-offs and mails, each subscription's hand-offs in their order."""
    with app.app_context(), Session(transactions.current().reading) as session:
        return list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.sequence, OutboxMessage.id)))


def handed_off(app: Flask) -> list[OutboxMessage]:
    """Return the hand-offs, in their order."""
    return [message for message in stored(app) if message.sequence]


def mails(app: Flask) -> list[OutboxMessage]:
    """Return the mails, the oldest first."""
    return [message for message in stored(app) if message.lane == queue.MAIL]


@contextmanager
def later(**passed: int) -> Iterator[None]:
    """Let that much time pass."""
    with time_machine.travel(datetime.now(UTC) + timedelta(**passed)):
        yield
