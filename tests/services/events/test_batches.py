"""Messages that come together: applied in one transaction, in AWS's order, and one that fails fails alone."""

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text

from app import create_app
from app.database import transactions
from app.models import Event, Subscription
from app.services.events import agreements, apply, consume
from tests.support import factories
from tests.support.aws_events import eventbridge_event, minutes_after_noon, parse_event
from tests.support.databases import has_waiting_transaction, on_postgresql
from tests.support.event_histories import CREATED, DEPROVISIONED, UPDATED
from tests.support.events_queue import EventsQueue
from tests.support.outbox_messages import handoff_messages, register_customer
from tests.support.stored_rows import all_rows


@pytest.fixture
def queue_app(events_queue: EventsQueue) -> Iterator[Flask]:
    """An application that has a queue of events."""
    with factories.open_app(create_app()) as app:
        yield app


def poll(app: Flask) -> None:
    with app.app_context():
        consume.poll(threading.Event())


@contextmanager
def failing_event(app: Flask, aws_id: str, error: Exception) -> Iterator[None]:
    """Raise the error whenever the event is stored, inside the `with` block."""

    def fail(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("INSERT INTO events") and aws_id in str(parameters):
            raise error

    with app.app_context():
        engine = transactions.current_database().write_engine
    event.listen(engine, "before_cursor_execute", fail)
    yield
    event.remove(engine, "before_cursor_execute", fail)


def of_purchase(number: int, kind: str = UPDATED, minute: float = 1, **overrides: Any) -> dict[str, Any]:
    names = {"agreement": f"agmt-{number}", "license": f"l-{number}", "account": f"{number:012}"}
    return eventbridge_event(kind, minutes_after_noon(minute), **names | overrides)


def test_one_failing_event_does_not_hold_up_nine_others(
    queue_app: Flask, events_queue: EventsQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    events_queue.send(*(of_purchase(number, id=f"event-{number}") for number in range(10)))

    with failing_event(queue_app, "event-4", ZeroDivisionError()):
        poll(queue_app)

    assert {row.aws_id for row in all_rows(queue_app, Event)} == {f"event-{number}" for number in range(10)} - {
        "event-4"
    }
    assert {row.status for row in all_rows(queue_app, Subscription)} == {"active"}
    assert events_queue.message_counts() == (0, 1)
    log = capsys.readouterr().err
    assert log.count('"event": "event.failed"') == 1
    assert log.count('"event": "event.applied"') == 9
    assert '"events": 10, "fault": "ZeroDivisionError", "event": "events.separated"' in log


def test_nothing_is_deleted_that_the_transaction_did_not_commit(queue_app: Flask, events_queue: EventsQueue) -> None:
    events_queue.send(*(of_purchase(number, id=f"event-{number}") for number in range(3)))

    with failing_event(queue_app, "event-", ZeroDivisionError()):
        poll(queue_app)

    assert (all_rows(queue_app, Event), all_rows(queue_app, Subscription)) == ([], [])
    assert events_queue.message_counts() == (0, 3)


def test_message_that_comes_twice_at_once_is_one_event(queue_app: Flask, events_queue: EventsQueue) -> None:
    doubled = of_purchase(1)
    events_queue.send(doubled, doubled, of_purchase(2))

    poll(queue_app)

    assert len(all_rows(queue_app, Event)) == 2
    assert events_queue.message_counts() == (0, 0)


def test_product_is_sent_events_that_come_together_in_their_order(
    environment: pytest.MonkeyPatch, events_queue: EventsQueue
) -> None:
    factories.enable_handoffs(environment)
    names = {"customer_aws_account_id": f"{1:012}", "license_arn": "arn:aws:l-1", "agreement_id": "agmt-1"}
    with factories.open_app(create_app()) as app:
        register_customer(app, names)
        events_queue.send(
            of_purchase(1, DEPROVISIONED, minute=2),
            of_purchase(1, CREATED, minute=0),
            of_purchase(1, UPDATED, minute=1),
        )

        poll(app)

        assert [(message.type, message.sequence) for message in handoff_messages(app)] == [
            ("registration.completed", 1),
            ("subscription.activated", 2),
            ("subscription.ended", 3),
        ]


def test_events_wait_for_their_turn_once_the_time_is_over(app: Flask) -> None:
    events = [parse_event(of_purchase(number)) for number in range(3)]

    with app.app_context():
        assert apply.ingest_all(events, -1) == 1
        assert apply.ingest_all(events, math.inf) == 3

    assert len(all_rows(app, Event)) == 3


@on_postgresql
def test_batches_lock_accounts_in_the_order_of_their_ids(app: Flask) -> None:
    events = [parse_event(of_purchase(number)) for number in (2, 1)]

    def ingest() -> int:
        with app.app_context():
            return apply.ingest_all(events, math.inf)

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        with transactions.current_database().write_engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            agreements.lock(connection, [f"{1:012}"], ())
            ingesting = threads.submit(ingest)
            while not has_waiting_transaction():
                assert not ingesting.done()
            # Another worker's batch, which has both accounts as well, does not deadlock with the one that waits.
            agreements.lock(connection, [f"{2:012}"], ["agmt-2", "agmt-1"])
        assert ingesting.result(10) == 2


@on_postgresql
def test_workers_with_the_same_events_at_once_apply_each_once(app: Flask) -> None:
    bodies = [of_purchase(number % 3, minute=number) for number in range(12)]

    def ingest(order: int) -> int:
        events = [parse_event(body) for body in (bodies, bodies[::-1])[order % 2]]
        with app.app_context():
            return apply.ingest_all(events, math.inf)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ingest, range(8))) == [12] * 8

    assert len(all_rows(app, Event)) == 12
    assert [subscription.status for subscription in all_rows(app, Subscription)] == ["active"] * 3
