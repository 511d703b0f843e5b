"""Consuming: nothing leaves the queue before it is on disk, and an invalid message goes to the dead-letter queue."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event

from app import create_app
from app.aws.queue import Queue
from app.database import transactions
from app.errors import DatabaseUnavailable, MarketplaceUnavailable
from app.models import Event, Subscription
from app.services.events import consume
from app.services.reports import gauges
from tests.support import database_proxy, factories
from tests.support.aws_events import eventbridge_event, minutes_after_noon, sns_notification
from tests.support.databases import on_sqlite
from tests.support.events_queue import EventsQueue
from tests.support.stored_rows import all_rows

UPDATED = "License Updated - Manufacturer"


@pytest.fixture
def queue_app(events_queue: EventsQueue) -> Iterator[Flask]:
    """An application that has a queue of events."""
    with factories.open_app(create_app()) as app:
        yield app


@contextmanager
def slow_events(app: Flask, seconds: float, then: Callable[[], object]) -> Iterator[None]:
    """Let an event take so many seconds to be stored, and call `then`. On SQS's clock it takes no longer."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock, app.app_context():

        def take_long(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("INSERT INTO events"):
                # The worker's own clock is the monotonic one, which goes on.
                threading.Event().wait(seconds)
                clock.shift(seconds)
                then()

        event.listen(transactions.current_database().write_engine, "after_cursor_execute", take_long)
        yield


def poll(app: Flask) -> bool:
    with app.app_context():
        return consume.poll(threading.Event())


def test_events_of_both_channels_are_applied_and_deleted(queue_app: Flask, events_queue: EventsQueue) -> None:
    events_queue.send(
        eventbridge_event(UPDATED, minutes_after_noon(0)), sns_notification("subscribe-success", minutes_after_noon(1))
    )

    assert poll(queue_app) is True

    assert {row.status for row in all_rows(queue_app, Subscription)} == {"active"}
    assert {stored.channel for stored in all_rows(queue_app, Event)} == {"eventbridge", "sns"}
    assert events_queue.message_counts() == (0, 0)
    assert events_queue.dead_letters() == []


def test_invalid_message_is_dead_lettered_with_the_reason(
    queue_app: Flask, events_queue: EventsQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    other = json.dumps({**eventbridge_event(UPDATED), "source": "aws.ec2"})
    events_queue.send("nonsense", other, eventbridge_event(UPDATED))

    poll(queue_app)

    dead_letters = dict(events_queue.dead_letters())
    assert dead_letters.keys() == {"nonsense", other}
    assert dead_letters["nonsense"] == "It is not JSON."
    assert dead_letters[other].startswith("source: ")
    assert events_queue.message_counts() == (0, 0)
    assert len(all_rows(queue_app, Event)) == 1
    log = capsys.readouterr().err
    assert '"reason": "It is not JSON.", "event": "message.dead_lettered"' in log


def test_event_with_an_odd_detail_is_applied_and_the_field_logged(
    queue_app: Flask, events_queue: EventsQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = eventbridge_event(UPDATED, ends="never", id="of-eventbridge")
    events_queue.send(odd)

    poll(queue_app)

    assert [subscription.status for subscription in all_rows(queue_app, Subscription)] == ["active"]
    assert [stored.body for stored in all_rows(queue_app, Event)] == [odd]
    assert events_queue.dead_letters() == []
    assert '"fields": ["endTime"], "event": "event.fields_dropped"' in capsys.readouterr().err


def test_invalid_message_stays_without_a_dead_letter_queue(
    queue_app: Flask, events_queue: EventsQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    events_queue.send("nonsense")

    with events_queue.without_dead_letter_queue():
        poll(queue_app)

    assert events_queue.message_counts() == (0, 1)
    assert '"event": "message.no_dead_letter_queue"' in capsys.readouterr().err


def test_nothing_is_received_while_the_database_is_down(
    database_url: str, environment: pytest.MonkeyPatch, events_queue: EventsQueue
) -> None:
    events_queue.send(eventbridge_event(UPDATED))
    with database_proxy.start(database_url) as proxy:
        environment.setenv("DATABASE_URL", proxy.url)
        with factories.open_app(create_app()) as app:
            proxy.disconnect(app)
            with pytest.raises(DatabaseUnavailable):
                poll(app)

            assert events_queue.message_counts() == (1, 0)
            proxy.reconnect()
            poll(app)
            assert len(all_rows(app, Event)) == 1

    assert events_queue.message_counts() == (0, 0)


def test_messages_that_come_after_the_stop_are_released(queue_app: Flask, events_queue: EventsQueue) -> None:
    events_queue.send(eventbridge_event(UPDATED))
    stop = threading.Event()
    stop.set()

    with queue_app.app_context():
        consume.poll(stop)

    assert events_queue.message_counts() == (1, 0)
    assert all_rows(queue_app, Event) == []


@on_sqlite
def test_messages_stay_invisible_while_events_are_slow(queue_app: Flask, events_queue: EventsQueue) -> None:
    queue_app.extensions["aws.queue"] = Queue(events_queue.url, visibility_seconds=1)
    events_queue.send(*(eventbridge_event(UPDATED, minutes_after_noon(minute)) for minute in range(3)))
    received_twice: list[int] = []

    # Each event takes more than half of the visibility timeout.
    with slow_events(queue_app, 0.6, lambda: received_twice.append(events_queue.receive_at_once())):
        poll(queue_app)

    assert received_twice == [0, 0, 0]
    assert events_queue.message_counts() == (0, 0)
    assert len(all_rows(queue_app, Event)) == 3


def test_poll_raises_while_sqs_is_down(queue_app: Flask, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")

    with pytest.raises(MarketplaceUnavailable):
        poll(queue_app)


def test_poll_returns_false_without_a_queue(app: Flask) -> None:
    assert poll(app) is False


def test_poll_updates_the_heartbeat_metric(queue_app: Flask, events_queue: EventsQueue) -> None:
    events_queue.send(eventbridge_event(UPDATED))

    poll(queue_app)

    with queue_app.app_context():
        assert 0 <= gauges.current()["foyer_events_heartbeat_age_seconds"] < 10
