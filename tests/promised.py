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

from app import database, receivers
from app.models import OutboxMessage
from app.services import events, handoffs, mailing, outbox, registrations, subscriptions
from app.services.landings import Arrived
from app.services.outbox import Claimed
from tests import factories
from tests.events import eventbridge, notice
from tests.factories import CODE

UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
SITE_URL = "https://start.acme.example"
LANE = outbox.lane(CODE)
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
        "license": subscriptions.license_id(str(customer.license_arn)),
        "agreement": customer.agreement_id,
        "account": customer.account_id,
    }
    with app.app_context():
        events.receive(notice(eventbridge(kind, happened_at, **{**its, **about})))


def claim(app: Flask, lane: str = LANE, **later_by: int) -> Claimed | None:
    """Claim what is due in the lane after that time."""
    with app.app_context():
        return outbox.claim(lane, datetime.now(UTC) + timedelta(**later_by))


def claimed(app: Flask, lane: str = LANE, **later_by: int) -> Claimed:
    """Claim what is due in the lane, which something has to be."""
    found = claim(app, lane, **later_by)
    assert found
    return found


def settle(app: Flask, message: Claimed, outcome: str = "delivered", **values: Any) -> UUID | None:
    """Settle what was claimed, and return what the outbox does."""
    with app.app_context():
        return database.current().write(lambda connection: outbox.settle(connection, message, outcome, **values))


def send_all(app: Flask) -> list[bool]:
    """Send whatever hand-off is due, and return for each whether it was settled."""
    settled = []
    with app.app_context():
        to = receivers.of(CODE)
        while to and (due := outbox.claim(LANE, datetime.now(UTC))):
            settled.append(handoffs.send(to, due, allow_private=True))
    return settled


def mail_all(app: Flask) -> list[bool]:
    """Send whatever mail is due, and return for each whether it was settled."""
    settled = []
    with app.app_context():
        while due := outbox.claim(outbox.MAIL, datetime.now(UTC)):
            settled.append(mailing.send(due, site_url=SITE_URL))
    return settled


def stored(app: Flask) -> list[OutboxMessage]:
    """Return the hand-offs and mails, each subscription's hand-offs in their order."""
    with app.app_context(), Session(database.current().reading) as session:
        return list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.sequence, OutboxMessage.id)))


def handed_off(app: Flask) -> list[OutboxMessage]:
    """Return the hand-offs, in their order."""
    return [message for message in stored(app) if message.sequence]


def mails(app: Flask) -> list[OutboxMessage]:
    """Return the mails, the oldest first."""
    return [message for message in stored(app) if message.lane == outbox.MAIL]


@contextmanager
def later(**passed: int) -> Iterator[None]:
    """Let that much time pass."""
    with time_machine.travel(datetime.now(UTC) + timedelta(**passed)):
        yield
