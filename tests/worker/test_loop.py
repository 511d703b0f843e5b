"""The worker's loop runs its chores, continues after a failure, and stops on a signal."""

import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.models import Subscription
from app.services.events import consume
from app.services.purchases.purchase import Pending, UnverifiedFields
from app.services.reports import gauges
from app.services.signup import pending_tokens, retry_pending
from app.worker import loop
from app.worker.loop import Chore
from sandbox.server import Sandbox
from tests.support import app_processes, database_proxy, factories
from tests.support.aws_events import eventbridge_event
from tests.support.databases import on_sqlite
from tests.support.events_queue import EventsQueue
from tests.support.pending_purchases import register_before_purchase
from tests.support.stored_rows import all_rows


@pytest.fixture
def pending_token(app: Flask, sandbox: Sandbox) -> Pending:
    """A pending token, and a registration without purchase."""
    return register_before_purchase(app, factories.token(sandbox))[0]


def test_worker_resolves_pending_tokens_and_stops_on_sigterm(
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
@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux shows which signals are blocked")
def test_worker_blocks_the_signal_that_stops_it(
    database_url: str, sandbox: Sandbox, stop_signal: signal.Signals
) -> None:
    with app_processes.run_worker(factories.environment(database_url, sandbox.aws_url)) as process:
        assert app_processes.wait_for_log_event(process, "worker.started")
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.send_signal(stop_signal)
        assert app_processes.wait_for_log_event(process, "worker.stopped")
        assert process.wait(10) == 0

    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    assert blocked & 1 << stop_signal - 1


@on_sqlite
def test_worker_stops_at_once_while_it_polls_the_events_queue(
    database_url: str, app: Flask, sandbox: Sandbox, events_queue: EventsQueue
) -> None:
    environment = {**factories.environment(database_url, sandbox.aws_url), "EVENTS_QUEUE_URL": events_queue.url}
    with app_processes.run_worker(environment) as process:
        events_queue.send(eventbridge_event("License Updated - Manufacturer"))
        assert app_processes.wait_for_log_event(process, "event.applied")
        process.send_signal(signal.SIGTERM)
        # A poll of the queue takes 20 seconds.
        assert process.wait(10) == 0

    assert events_queue.message_counts() == (0, 0)
    assert [subscription.status for subscription in all_rows(app, Subscription)] == ["active"]


def test_unreachable_sqs_fails_the_chore_with_its_own_error(
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


def test_failing_chore_runs_again_after_a_growing_backoff(app: Flask) -> None:
    chore = Chore("broken", lambda: bool(1 / 0), interval_seconds=1)

    backoffs = []
    for _ in range(8):
        chore.run()
        backoffs.append(chore.next_run_at - time.monotonic())

    assert backoffs[0] <= 2
    assert max(backoffs) <= loop.MAX_BACKOFF_SECONDS
    assert min(backoffs[5:]) >= loop.MAX_BACKOFF_SECONDS / 2 - 1
    assert chore.failures == 8


def test_recovered_chore_returns_to_its_interval() -> None:
    outcomes = iter([False, False, True])
    chore = Chore("passing", lambda: next(outcomes), interval_seconds=1)

    for _ in range(3):
        chore.run()

    assert chore.failures == 0
    assert chore.next_run_at - time.monotonic() <= 1


def test_interval_counts_from_the_end_of_the_work() -> None:
    ended_at: list[float] = []

    def work() -> bool:
        threading.Event().wait(0.05)
        ended_at.append(time.monotonic())
        return True

    chore = Chore("slow", work, interval_seconds=1)
    chore.run()

    assert chore.next_run_at >= ended_at[0] + 1


def test_chore_recovers_from_a_database_outage(
    database_url: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with database_proxy.start(database_url) as proxy:
        environment.setenv("DATABASE_URL", proxy.url)
        with factories.open_app(create_app()) as app, app.app_context():
            chore = Chore("retry_pending", partial(loop.repeat_while_due, retry_pending.resolve_next), 1)
            proxy.disconnect(app)
            chore.run()
            failures = chore.failures
            proxy.reconnect()
            chore.run()

    assert (failures, chore.failures) == (1, 0)
    log = capsys.readouterr().err
    assert '"fault": "DatabaseUnavailable"' in log
    assert '"frames"' not in log


def test_one_token_is_tried_in_a_run_while_aws_is_down(app: Flask, sandbox: Sandbox, pending_token: Pending) -> None:
    with app.app_context():
        token_ids = [
            pending_token.id,
            *(pending_tokens.store(factories.token(sandbox), UnverifiedFields()).id for _ in range(2)),
        ]
        sandbox.marketplace.change_faults(aws_down=True)

        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=5), tick=False):
            is_answered = loop.repeat_while_due(retry_pending.resolve_next)

        tokens = [token for token in map(pending_tokens.find, token_ids) if token]
    assert is_answered is False
    assert sorted(token.tries for token in tokens) == [0, 0, 1]
