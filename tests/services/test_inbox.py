"""The inbox: nothing leaves the queue before it is on disk, and nothing that is no event is dropped in silence."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.aws.queue import Queue
from app.database import transactions
from app.errors import DatabaseUnavailable, MarketplaceUnavailable
from app.models import Event, Subscription
from app.services.events import consume
from app.services.reports import gauges
from sandbox.server import Sandbox
from tests import cable, factories
from tests.databases import on_postgresql
from tests.events import at, eventbridge, sns
from tests.queue import Mailbox
from tests.stored import stored

UPDATED = "License Updated - Manufacturer"


@pytest.fixture
def mailbox(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    mailbox = Mailbox(sandbox)
    environment.setenv("EVENTS_QUEUE_URL", mailbox.url)
    yield mailbox
    mailbox.close()


@pytest.fixture
def following(mailbox: Mailbox) -> Iterator[Flask]:
    """An application that has a queue of events."""
    with factories.running(create_app()) as app:
        yield app


@contextmanager
def slow_events(app: Flask) -> Iterator[None]:
    """Let PostgreSQL take more than a second to store an event."""
    execute(
        app,
        "CREATE FUNCTION linger() RETURNS trigger AS 'BEGIN PERFORM pg_sleep(1.2); RETURN NEW; END' LANGUAGE plpgsql",
        "CREATE TRIGGER linger BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION linger()",
    )
    yield
    execute(app, "DROP FUNCTION linger CASCADE")


def execute(app: Flask, *statements: str) -> None:
    with app.app_context(), transactions.current().writing.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def take_in(app: Flask) -> bool:
    with app.app_context():
        return consume.take_in(threading.Event())


def test_events_of_both_channels_are_applied_and_deleted(following: Flask, mailbox: Mailbox) -> None:
    mailbox.put(eventbridge(UPDATED, at(0)), sns("subscribe-success", at(1)))

    assert take_in(following) is True

    assert {row.status for row in stored(following, Subscription)} == {"active"}
    assert {event.channel for event in stored(following, Event)} == {"eventbridge", "sns"}
    assert mailbox.counts() == (0, 0)
    assert mailbox.dead_letters() == []


def test_a_message_that_is_no_event_becomes_a_dead_letter_with_the_reason(
    following: Flask, mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    other = json.dumps({**eventbridge(UPDATED), "source": "aws.ec2"})
    mailbox.put("nonsense", other, eventbridge(UPDATED))

    take_in(following)

    letters = dict(mailbox.dead_letters())
    assert letters.keys() == {"nonsense", other}
    assert letters["nonsense"] == "It is not JSON."
    assert letters[other].startswith("source: ")
    assert mailbox.counts() == (0, 0)
    assert len(stored(following, Event)) == 1
    log = capsys.readouterr().err
    assert '"reason": "It is not JSON.", "event": "message.buried"' in log


def test_without_dead_letters_it_stays_in_the_queue(
    following: Flask, mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox.without_dead_letters()
    mailbox.put("nonsense")

    take_in(following)

    assert mailbox.counts() == (0, 1)
    assert '"event": "message.without_grave"' in capsys.readouterr().err


def test_while_the_database_is_away_nothing_is_received(
    database_url: str, environment: pytest.MonkeyPatch, mailbox: Mailbox
) -> None:
    mailbox.put(eventbridge(UPDATED))
    with cable.laid(database_url) as laid:
        environment.setenv("DATABASE_URL", laid.url)
        with factories.running(create_app()) as app:
            laid.pull(app)
            with pytest.raises(DatabaseUnavailable):
                take_in(app)

            assert mailbox.counts() == (1, 0)
            laid.mend()
            take_in(app)
            assert len(stored(app, Event)) == 1

    assert mailbox.counts() == (0, 0)


def test_what_comes_after_the_worker_was_told_to_stop_is_given_back(following: Flask, mailbox: Mailbox) -> None:
    mailbox.put(eventbridge(UPDATED))
    stop = threading.Event()
    stop.set()

    with following.app_context():
        consume.take_in(stop)

    assert mailbox.counts() == (1, 0)
    assert stored(following, Event) == []


@on_postgresql
def test_while_the_work_is_slow_nobody_else_gets_the_messages(following: Flask, mailbox: Mailbox) -> None:
    following.extensions["aws.queue"] = Queue(mailbox.url, visibility_seconds=2)
    mailbox.put(*(eventbridge(UPDATED, at(minute)) for minute in range(3)))

    with slow_events(following), ThreadPoolExecutor() as beside:
        working = beside.submit(take_in, following)
        # Each event takes more than half of the time for which messages are kept from others.
        taken_twice = mailbox.received_beside(working, 3)

    assert taken_twice == 0
    assert mailbox.counts() == (0, 0)
    assert len(stored(following, Event)) == 3


def test_an_sqs_that_is_down_is_said_by_name(following: Flask, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")

    with pytest.raises(MarketplaceUnavailable):
        take_in(following)


def test_without_a_queue_there_is_nothing_to_take_in(app: Flask) -> None:
    assert take_in(app) is False


def test_whoever_looks_for_events_is_seen_in_the_metrics(following: Flask, mailbox: Mailbox) -> None:
    mailbox.put(eventbridge(UPDATED))

    take_in(following)

    with following.app_context():
        assert 0 <= gauges.current()["foyer_events_heartbeat_age_seconds"] < 10
