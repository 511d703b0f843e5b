"""The database's clock: machines whose clocks differ agree on leases and stored times."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.database import clock, transactions
from app.models import Subscription
from app.services.outbox import queue
from app.services.purchases.purchase import Resolved
from app.services.signup import registrations
from tests.support import factories
from tests.support.databases import on_postgresql
from tests.support.outbox_messages import HANDOFF_LANE, handoff_messages
from tests.support.postgresql_server import execute_statements
from tests.support.stored_rows import all_rows

END_LEASES = text("UPDATE outbox SET next_try_at = next_try_at - make_interval(secs => :seconds)")
CLOSE_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
WRONG_CLOCKS = pytest.mark.parametrize("seconds", [-3600.0, -2.0, 2.0, 90.0, 86_400.0])


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    factories.enable_handoffs(environment)
    return environment


@pytest.fixture
def other_machine(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application on another machine: it connects first when a test uses it, by the clock of then."""
    with factories.open_app(create_app(), compares_clocks=True) as other:
        yield other


def end_leases() -> None:
    """Let every lease end, as it does when its time has passed."""
    transactions.write(lambda connection: connection.execute(END_LEASES, {"seconds": queue.LEASE.total_seconds()}))


def other_purchase() -> Resolved:
    return factories.resolved(
        license_arn="arn:aws:license-manager::294406891311:license:l-other", agreement_id="agmt-2"
    )


@on_postgresql
@WRONG_CLOCKS
def test_machine_with_a_wrong_clock_stores_the_databases_time(other_machine: Flask, seconds: float) -> None:
    before = datetime.now(UTC)
    with time_machine.travel(before + timedelta(seconds=seconds)), other_machine.app_context():
        registrations.complete(factories.resolved(), factories.answers())
    after = datetime.now(UTC)

    [subscription] = all_rows(other_machine, Subscription)
    [message] = handoff_messages(other_machine)
    assert message.due_since
    margin = timedelta(seconds=1)
    for stored in (subscription.created_at, subscription.changed_at, message.created_at, message.due_since):
        assert before - margin < stored < after + margin


@on_postgresql
@WRONG_CLOCKS
def test_machine_with_a_wrong_clock_keeps_others_leases(app: Flask, other_machine: Flask, seconds: float) -> None:
    with app.app_context():
        registrations.complete(factories.resolved(), factories.answers())
        assert queue.claim(HANDOFF_LANE)

    with other_machine.app_context(), time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds)):
        during_lease = queue.claim(HANDOFF_LANE)
        end_leases()
        after_lease = queue.claim(HANDOFF_LANE)

    assert during_lease is None
    assert after_lease


@on_postgresql
@WRONG_CLOCKS
@pytest.mark.parametrize("is_ahead", [False, True], ids=["right before", "wrong before"])
def test_clock_that_is_set_while_foyer_runs_changes_no_time(
    app: Flask, other_machine: Flask, seconds: float, is_ahead: bool
) -> None:
    real = datetime.now(UTC)
    with time_machine.travel(real + timedelta(hours=5 * is_ahead)), other_machine.app_context():
        registrations.complete(factories.resolved(), factories.answers())
        assert queue.claim(HANDOFF_LANE)

    with time_machine.travel(real + timedelta(seconds=seconds)), other_machine.app_context():
        set_moment = clock.now()  # before any connection is used
        during_lease = queue.claim(HANDOFF_LANE)
        registrations.complete(other_purchase(), factories.answers())
        compared_moment, ahead = clock.now(), clock.current().ahead

    margin = timedelta(seconds=1)
    for moment in (set_moment, compared_moment, *(row.created_at for row in all_rows(other_machine, Subscription))):
        assert real - margin < moment < datetime.now(UTC) + margin
    assert during_lease is None
    assert abs(ahead - timedelta(seconds=seconds)) < margin


@on_postgresql
def test_comparison_on_a_connection_that_the_server_closed_takes_a_new_one(
    other_machine: Flask, database_url: str
) -> None:
    with other_machine.app_context():
        registrations.complete(factories.resolved(), factories.answers())
        execute_statements(database_url, CLOSE_OTHERS)
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=1)):
            claimed = queue.claim(HANDOFF_LANE)

    assert claimed


def test_clock_is_compared_again_after_five_minutes_only() -> None:
    now, readings = datetime.now(UTC), []
    own = clock.Clock()

    def read() -> datetime:
        readings.append(now)
        return datetime.now(UTC) - timedelta(seconds=40)

    own.compare(read)
    own.compare(read)
    own.compared -= clock.COMPARISON_TTL_SECONDS
    own.compare(read)

    assert len(readings) == 2
    assert timedelta(seconds=39) < own.ahead < timedelta(seconds=41)
