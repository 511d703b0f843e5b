"""foyer status: counts of today and of seven days, what waits, what failed, and what is wrong now."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import update

from app.database import transactions
from app.models import OutboxMessage, PendingToken, Registration, Subscription
from app.services.operations import heartbeats
from app.services.purchases.purchase import UnverifiedFields
from app.services.signup import pending_tokens, progress, registrations
from tests.cli.conftest import CreateSubscription
from tests.support import factories
from tests.support.outbox_messages import claim_due, register_customer, settle_message
from tests.support.stored_rows import all_rows

LICENSE = "arn:aws:license-manager::294406891311:license:l-{}"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


def write(app: Flask, *statements: Any) -> None:
    with app.app_context():
        transactions.write(lambda connection: [connection.execute(statement) for statement in statements])


def start_worker(app: Flask) -> None:
    with app.app_context():
        heartbeats.record("worker")


def read(runner: FlaskCliRunner) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(runner.invoke(args=["status", "--json"]).stdout)
    return status


def test_each_step_is_counted_for_today_and_for_seven_days(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    ids = [register_customer(app, {"license_arn": LICENSE.format(n)}) for n in range(3)]
    create_subscription(license_arn=LICENSE.format("landed"))
    settle_message(app, claim_due(app))
    settle_message(app, claim_due(app))
    with app.app_context():
        pending_tokens.store("unresolved", UnverifiedFields(None))
        registration = all_rows(app, Registration)[0]
        progress.try_record_entry(registration.id, registration.subscription_id)
        progress.try_record_entry(registration.id, registration.subscription_id)
    now = datetime.now(UTC)
    for id_, days in zip(ids[1:], (3, 30), strict=True):
        moment = now - timedelta(days=days)
        write(
            app,
            update(Subscription).where(Subscription.id == id_).values(created_at=moment, last_seen_at=moment),
            update(Registration).where(Registration.subscription_id == id_).values(created_at=moment),
        )

    status = read(runner)

    assert status["steps"] == {"landed": [3, 4], "registered": [1, 2], "handed off": [2, 2], "entered": [1, 1]}
    assert status["funnel"] == {"bought": 3, "landed": 3, "registered": 2, "handed off": 2, "entered": 1}
    assert status["counts"]["foyer_handoffs_waiting"] == 1


def test_nothing_wrong_exits_with_0_and_says_so(app: Flask, runner: FlaskCliRunner) -> None:
    start_worker(app)

    result = runner.invoke(args=["status"])

    assert result.exit_code == 0
    assert result.stdout.endswith("What is wrong now\n  Nothing.\n")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_empty_store_without_a_worker_fails_with_the_command(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["status"])

    assert result.exit_code == 1
    assert "FAIL  No worker runs" in result.stdout
    assert result.stdout.endswith("foyer worker\n")


def test_what_is_wrong_has_its_command(app: Flask, runner: FlaskCliRunner) -> None:
    start_worker(app)
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    for number in range(2):
        register_customer(app, {"license_arn": LICENSE.format(number)})
    settle_message(app, claim_due(app), "failed", fault="410")
    for token in ("pending", "given up"):
        with app.app_context():
            registrations.complete(pending_tokens.store(token, UnverifiedFields(None)), factories.answers())
    pending, given_up = all_rows(app, PendingToken)
    gone = {"sealed": None, "next_try_at": None, "settled_at": long_ago, "fault": "ExpiredToken"}
    write(
        app,
        update(OutboxMessage).values(created_at=long_ago),
        update(PendingToken).where(PendingToken.id == pending.id).values(parked_at=long_ago),
        update(PendingToken).where(PendingToken.id == given_up.id).values(**gone),
    )

    found = {finding["command"]: finding["level"] for finding in read(runner)["findings"]}

    assert found == {
        "doctor": "FAIL",
        "handoffs retry --failed": "FAIL",
        "handoffs list --outcome waiting": "FAIL",
        "registrations list --unlinked": "warn",
    }
    for command in found:
        if command != "doctor":
            assert runner.invoke(args=command.split()).exit_code == 0
