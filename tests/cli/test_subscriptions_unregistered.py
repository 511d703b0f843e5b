"""foyer subscriptions list --unregistered: current purchases without a registration."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskCliRunner

from app.services.signup import erasure
from tests.cli.command_output import apply_events, list_rows, table_cells
from tests.cli.conftest import CreateRegistration, CreateSubscription
from tests.support.aws_events import eventbridge_event

ARN = "arn:aws:license-manager::294406891311:license:l-0123456789abcdef"
OTHER_ARN = "arn:aws:license-manager::294406891311:license:l-other"
UPDATED = "License Updated - Manufacturer"
DEPROVISIONED = "License Deprovisioned - Manufacturer"


def ids(runner: FlaskCliRunner, *arguments: str) -> list[str]:
    return [row["id"] for row in list_rows(runner, "subscriptions", *arguments)]


@pytest.fixture
def unregistered(
    app: Flask, create_subscription: CreateSubscription, create_registration: CreateRegistration
) -> list[UUID]:
    """Unregistered purchases in the order of the list; the database also has others that must not be listed."""
    create_registration({"license_arn": f"{OTHER_ARN}-registered"})
    with app.app_context():
        erasure.erase(create_registration({"license_arn": f"{OTHER_ARN}-erased"}), "operator:ada")
    pending = create_subscription(license_arn=f"{OTHER_ARN}-pending", agreement_id="agmt-1")
    older = create_subscription(license_arn=f"{OTHER_ARN}-older", agreement_id="agmt-2")
    newer = create_subscription(
        license_arn=f"{OTHER_ARN}-newer", agreement_id="agmt-3", customer_aws_account_id="098765432109"
    )
    create_subscription(license_arn=f"{OTHER_ARN}-ended", agreement_id="agmt-4")
    events = [("newer", "agmt-3", UPDATED), ("older", "agmt-2", UPDATED), ("ended", "agmt-4", DEPROVISIONED)]
    apply_events(
        app,
        *(eventbridge_event(kind, license=f"l-other-{name}", agreement=agreement) for name, agreement, kind in events),
    )
    return [older, newer, pending]


def test_unregistered_purchases_are_listed_longest_paying_first(
    runner: FlaskCliRunner, unregistered: list[UUID]
) -> None:
    older, newer, pending = map(str, unregistered)

    assert ids(runner, "--unregistered") == [older, newer, pending]
    assert ids(runner, "--unregistered", "--limit", "1") == [older]
    assert ids(runner, "--unregistered", "--status", "pending") == [pending]
    assert ids(runner, "--unregistered", "--account", "0987-6543-2109") == [newer]
    assert ids(runner, "--unregistered", "--status", "ending") == []
    assert ids(runner, "--unregistered", "--status", "ended") == []


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(59, "0 min"), (47 * 60, "47 min"), (3 * 3600 + 5 * 60, "3 h 5 min"), (3 * 86400 + 4 * 3600 + 59, "3 d 4 h")],
)
def test_unregistered_purchase_shows_its_age(app: Flask, runner: FlaskCliRunner, seconds: int, age: str) -> None:
    bought_at = datetime(2026, 11, 2, 12, tzinfo=UTC)
    with time_machine.travel(bought_at, tick=False):
        apply_events(app, eventbridge_event(UPDATED))

    with time_machine.travel(bought_at + timedelta(seconds=seconds), tick=False):
        listed = runner.invoke(args=["subscriptions", "list", "--unregistered"]).stdout
        (row,) = list_rows(runner, "subscriptions", "--unregistered")

    header, line = map(table_cells, listed.splitlines())
    assert header[:3] == ["id", "age", "last_seen_at"]
    assert line[1:4] == [age, "never", "active"]
    assert (row["age"], row["last_seen_at"]) == (seconds, None)


def test_unregistered_purchase_shows_its_last_landing(
    runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    create_subscription(license_arn=ARN)

    listed = runner.invoke(args=["subscriptions", "list", "--unregistered"]).stdout
    (row,) = list_rows(runner, "subscriptions")

    assert row["last_seen_at"] in listed
    assert "age" not in row
