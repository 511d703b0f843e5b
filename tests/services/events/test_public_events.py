"""The public's events, through the queue: what each of them makes of the buyer's subscription."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.models import Event
from app.services.events import consume
from tests.services.events import public_events
from tests.services.events.public_events import ACCOUNT, AGREEMENT, CUSTOMER, LICENSE, LIVE_ARN, RENEWAL, Body
from tests.support import factories
from tests.support.event_histories import land, only_subscription
from tests.support.events_queue import EventsQueue
from tests.support.stored_rows import all_rows

NEW_LISTING = {"license_arn": LIVE_ARN, "customer_aws_account_id": ACCOUNT, "agreement_id": AGREEMENT}
OLD_LISTING = {"license_arn": None, "agreement_id": None, "customer_identifier": CUSTOMER}
PRINTED_END = datetime(2027, 5, 30, 21, 36, 3, tzinfo=UTC)
CANCELLED = datetime(2026, 8, 31, 9, 30, 22, tzinfo=UTC)


@dataclass(frozen=True)
class History:
    """Events, the customer who lands, status and end after each event, and the last agreement."""

    events: Callable[[], list[Body]]
    customer: dict[str, Any]
    states: Sequence[tuple[str, datetime | None]]
    agreement_id: str | None


ACTIVE, PENDING = ("active", None), ("pending", None)
HISTORIES = {
    "live usage": History(
        public_events.live_usage_sale,
        NEW_LISTING,
        [PENDING, ACTIVE, ("ending", CANCELLED), ("ended", CANCELLED)],
        AGREEMENT,
    ),
    "live renewal": History(public_events.live_renewal, NEW_LISTING, [PENDING] + [ACTIVE] * 4, RENEWAL),
    "printed contract": History(
        public_events.printed_contract_sale,
        NEW_LISTING,
        [
            ("pending", PRINTED_END),
            ("active", PRINTED_END),
            ("active", PRINTED_END),
            ("ending", CANCELLED),
            ("ended", CANCELLED),
        ],
        AGREEMENT,
    ),
    "license in id": History(public_events.aws_sample_license, NEW_LISTING, [ACTIVE], AGREEMENT),
    "news": History(public_events.sale_with_news, NEW_LISTING, [PENDING] + [ACTIVE] * 10, AGREEMENT),
    "old listing": History(
        public_events.printed_old_sale, OLD_LISTING, [ACTIVE, ("ending", None), ("ended", None)], None
    ),
    "old listing, failed": History(public_events.printed_old_failure, OLD_LISTING, [("failed", None)], None),
    "old listing, raw": History(public_events.printed_old_sale_raw, OLD_LISTING, [ACTIVE], None),
}
NAMES = pytest.mark.parametrize("name", HISTORIES)


@pytest.fixture
def queue_app(events_queue: EventsQueue) -> Iterator[Flask]:
    """An application that has a queue of events."""
    with factories.open_app(create_app()) as app:
        yield app


def receive(app: Flask, events_queue: EventsQueue, *events: Body) -> None:
    """Send the events, and let the worker poll until the queue is empty."""
    events_queue.send(*events)
    with app.app_context():
        while events_queue.message_counts() != (0, 0):
            consume.poll(threading.Event())


def state(app: Flask) -> tuple[str, datetime | None]:
    subscription = only_subscription(app)
    return subscription.status, subscription.ends_at


@NAMES
def test_public_events_change_the_subscription_step_by_step(
    queue_app: Flask, events_queue: EventsQueue, name: str
) -> None:
    history = HISTORIES[name]
    land(queue_app, **history.customer)

    states = []
    for event in history.events():
        receive(queue_app, events_queue, event)
        states.append(state(queue_app))

    assert states == history.states
    assert only_subscription(queue_app).agreement_id == history.agreement_id
    assert events_queue.dead_letters() == []
    assert {event.outcome for event in all_rows(queue_app, Event)} <= {"applied", "noted"}


@NAMES
def test_public_events_before_the_landing_end_in_the_same_state(
    queue_app: Flask, events_queue: EventsQueue, name: str
) -> None:
    history = HISTORIES[name]

    receive(queue_app, events_queue, *reversed(history.events()))
    land(queue_app, **history.customer)

    assert state(queue_app) == history.states[-1]
    assert only_subscription(queue_app).agreement_id == history.agreement_id
    assert events_queue.dead_letters() == []


def test_live_and_printed_spellings_name_the_same_license(queue_app: Flask, events_queue: EventsQueue) -> None:
    live, printed = public_events.live_usage_sale(), public_events.printed_contract_sale()

    receive(queue_app, events_queue, *live[:2], *printed[-1:])

    subscription = only_subscription(queue_app)
    assert (subscription.purchase_key, subscription.status) == (LICENSE, "ended")
