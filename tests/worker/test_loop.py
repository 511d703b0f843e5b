"""The background process: it works, goes on after a fault, and stops when it is told to."""

import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.models import Subscription
from app.services.events import consume
from app.services.purchases.purchase import Pending, UnverifiedFields
from app.services.reports import gauges
from app.services.signup import pending_tokens, registrations
from app.worker import loop
from app.worker.loop import Chore
from sandbox.server import Sandbox
from tests.support import app_processes, database_proxy, factories
from tests.support.aws_events import eventbridge_event
from tests.support.databases import on_sqlite
from tests.support.events_queue import EventsQueue
from tests.support.stored_rows import all_rows


@pytest.fixture
def pending_token(app: Flask, sandbox: Sandbox) -> Pending:
    """A purchase that waits for AWS, with its registration."""
    with app.app_context():
        parked = pending_tokens.store(factories.token(sandbox), UnverifiedFields())
        registrations.complete(parked, factories.answers())
    return parked


def test_the_worker_links_what_waits_and_stops_on_sigterm(
    database_url: str, app: Flask, sandbox: Sandbox, pending_token: Pending
) -> None:
    with app_processes.run_worker(factories.environment(database_url, sandbox.aws_url)) as process:
        assert str(pending_token.id) in app_processes.wait_for_log_event(process, "token.resolved")
        process.send_signal(signal.SIGTERM)
        assert app_processes.wait_for_log_event(process, "worker.stopped")
        assert process.wait(10) == 0

    with app.app_context():
        assert gauges.current()["foyer_unlinked_registrations"] == 0


@on_sqlite
@pytest.mark.parametrize("stopping", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells which signals are blocked")
def test_a_signal_stops_the_worker_and_interrupts_nothing(
    database_url: str, sandbox: Sandbox, stopping: signal.Signals
) -> None:
    with app_processes.run_worker(factories.environment(database_url, sandbox.aws_url)) as process:
        assert app_processes.wait_for_log_event(process, "worker.started")
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.send_signal(stopping)
        assert app_processes.wait_for_log_event(process, "worker.stopped")
        assert process.wait(10) == 0

    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    assert blocked & 1 << stopping - 1


@on_sqlite
def test_a_worker_that_waits_for_events_stops_at_once_and_leaves_the_queue_as_it_is(
    database_url: str, app: Flask, sandbox: Sandbox
) -> None:
    mailbox = EventsQueue(sandbox)
    environment = {**factories.environment(database_url, sandbox.aws_url), "EVENTS_QUEUE_URL": mailbox.url}
    with app_processes.run_worker(environment) as process:
        mailbox.send(eventbridge_event("License Updated - Manufacturer"))
        assert app_processes.wait_for_log_event(process, "event.applied")
        process.send_signal(signal.SIGTERM)
        # It would have waited for the next event for 20 seconds.
        assert process.wait(10) == 0

    assert mailbox.message_counts() == (0, 0)
    mailbox.close()
    assert [subscription.status for subscription in all_rows(app, Subscription)] == ["active"]


def test_an_sqs_that_is_away_is_waited_for_and_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("EVENTS_QUEUE_URL", "http://127.0.0.1:1/123456789012/foyer-events")
    environment.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    with factories.open_app(create_app()) as app, app.app_context():
        chore = Chore("events", lambda: consume.poll(threading.Event()), interval_seconds=0)
        chore.run()

    assert chore.failures == 1
    log = capsys.readouterr().err
    assert '"chore": "events", "fault": "MarketplaceUnavailable"' in log
    assert '"frames"' not in log


def test_a_chore_that_fails_comes_again_later_and_later_and_ends_nothing(app: Flask) -> None:
    chore = Chore("broken", lambda: bool(1 / 0), interval_seconds=1)

    pauses = []
    for _ in range(8):
        chore.run()
        pauses.append(chore.next_run_at - time.monotonic())

    assert pauses[0] <= 2
    assert max(pauses) <= loop.MAX_BACKOFF_SECONDS
    assert min(pauses[5:]) >= loop.MAX_BACKOFF_SECONDS / 2 - 1
    assert chore.failures == 8


def test_a_chore_that_works_again_has_its_own_pace_again() -> None:
    outcomes = iter([False, False, True])
    chore = Chore("passing", lambda: next(outcomes), interval_seconds=1)

    for _ in range(3):
        chore.run()

    assert chore.failures == 0
    assert chore.next_run_at - time.monotonic() <= 1


def test_the_pause_begins_when_the_work_ends() -> None:
    ends: list[float] = []

    def work() -> bool:
        threading.Event().wait(0.05)
        ends.append(time.monotonic())
        return True

    chore = Chore("slow", work, interval_seconds=1)
    chore.run()

    assert chore.next_run_at >= ends[0] + 1


def test_a_database_that_is_away_is_waited_for(
    database_url: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with database_proxy.start(database_url) as laid:
        environment.setenv("DATABASE_URL", laid.url)
        with factories.open_app(create_app()) as app, app.app_context():
            chore = Chore("link", loop.retry_pending_tokens, interval_seconds=1)
            laid.disconnect(app)
            chore.run()
            failures = chore.failures
            laid.reconnect()
            chore.run()

    assert (failures, chore.failures) == (1, 0)
    log = capsys.readouterr().err
    assert '"fault": "DatabaseUnavailable"' in log
    assert '"frames"' not in log


def test_while_aws_does_not_answer_one_token_is_tried_and_the_others_wait(
    app: Flask, sandbox: Sandbox, pending_token: Pending
) -> None:
    with app.app_context():
        waiting = [
            pending_token.id,
            *(pending_tokens.store(factories.token(sandbox), UnverifiedFields()).id for _ in range(2)),
        ]
        sandbox.marketplace.faults = sandbox.marketplace.faults.model_copy(update={"aws_down": True})

        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=5), tick=False):
            answers = loop.retry_pending_tokens()

        tokens = [token for token in map(pending_tokens.find, waiting) if token]
    assert answers is False
    assert sorted(token.tries for token in tokens) == [0, 0, 1]
