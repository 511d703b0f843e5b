"""foyer usage list: hours with their sums and states, and items that are held or late."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from tests.cli.command_output import UNKNOWN_ID, list_rows
from tests.cli.conftest import CreateSubscription
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_CODE
from tests.support.outbox_messages import register_customer
from tests.support.usage_clock import UsageClock, send_usage, settle_hours

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
OTHER_LICENSE = "arn:aws:license-manager::294406891311:license:l-other"


@pytest.fixture
def used(app: Flask, clock: UsageClock, subscription_id: UUID, create_subscription: CreateSubscription) -> UUID:
    """Usage of two licenses: at noon, which AWS refused, and at 14, which is open; return the second subscription."""
    clock.set(28, 12, 30)
    send_usage(app, subscription_id, "2026-11-28T12:10:00Z", "0.1")
    send_usage(app, subscription_id, "2026-11-28T12:20:00Z", "0.2000001")
    settle_hours(app, NOON, "refused", code="InvalidUsageDimension")
    clock.set(28, 14, 30)
    other_id = create_subscription(license_arn=OTHER_LICENSE, agreement_id="agmt-other")
    send_usage(app, other_id, "2026-11-28T14:10:00Z", "7", dimension="gigabytes")
    return other_id


def test_hours_are_listed_newest_first_with_their_sums(
    runner: FlaskCliRunner, used: UUID, subscription_id: UUID
) -> None:
    newest, oldest = list_rows(runner, "usage")
    header, first, second = runner.invoke(args=["usage", "list"]).stdout.splitlines()

    assert (newest["hour"], newest["state"], newest["quantity"], newest["items"]) == (
        "2026-11-28T14:00:00.000Z",
        "open",
        "7",
        1,
    )
    assert (oldest["quantity"], oldest["sent_quantity"], oldest["items"]) == ("0.3000001", "0.3", 2)
    assert (oldest["state"], oldest["code"], oldest["subscription_id"]) == (
        "refused",
        "InvalidUsageDimension",
        str(subscription_id),
    )
    assert header.split()[:3] == ["hour", "subscription_id", "company"]
    assert first.split()[0] == "2026-11-28T14:00:00.000Z"
    assert second.split()[-1] == oldest["id"]


@on_sqlite
@pytest.mark.parametrize(
    ("filters", "states"),
    [
        (["--state", "open"], ["open"]),
        (["--state", "open", "--state", "refused"], ["open", "refused"]),
        (["--state", "billed", "--state", "refused"], ["refused"]),
        (["--state", "billed"], []),
        (["--product", PRODUCT_CODE], ["open", "refused"]),
        (["--dimension", "users"], ["refused"]),
        (["--dimension", "none"], []),
        (["--since", "2026-11-28T13:00Z"], ["open"]),
        (["--until", "2026-11-28T14:00Z"], ["refused"]),
        (["--since", "2026-11-28T12:00Z", "--until", "2026-11-28T12:00Z"], []),
        (["--limit", "1"], ["open"]),
        (["--subscription", UNKNOWN_ID], []),
    ],
    ids=" ".join,
)
def test_filters_select_matching_hours(
    runner: FlaskCliRunner, used: UUID, filters: list[str], states: list[str]
) -> None:
    assert [row["state"] for row in list_rows(runner, "usage", *filters)] == states


@on_sqlite
def test_subscription_filter_selects_its_hours(runner: FlaskCliRunner, used: UUID) -> None:
    [row] = list_rows(runner, "usage", "--subscription", str(used))

    assert row["subscription_id"] == str(used)


@on_sqlite
def test_hour_names_the_company_that_registered(app: Flask, runner: FlaskCliRunner, clock: UsageClock) -> None:
    send_usage(app, register_customer(app), "2026-11-28T14:10:00Z")

    [row] = list_rows(runner, "usage")

    assert row["company"] == factories.ANSWERS["company"]


def test_held_and_late_items_are_listed(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, used: UUID, subscription_id: UUID
) -> None:
    send_usage(app, subscription_id, "2026-11-28T12:40:00Z", "5", id="late-1")
    send_usage(app, subscription_id, "2026-10-31T12:40:00Z", "6", id="held-1", tags={"team": "red"})

    [held] = list_rows(runner, "usage", "--held")
    [late] = list_rows(runner, "usage", "--late", "--since", "2026-11-01")
    printed = runner.invoke(args=["usage", "list", "--held"]).stdout

    assert (held["item_id"], held["quantity"], held["hour"], held["tags"]) == ("held-1", "6", None, {"team": "red"})
    assert (late["item_id"], late["hour"], late["state"]) == ("late-1", "2026-11-28T14:00:00.000Z", "open")
    assert "held-1" in printed
    assert list_rows(runner, "usage", "--held", "--subscription", str(used)) == []


@on_sqlite
@pytest.mark.parametrize("options", [["--held", "--late"], ["--held", "--state", "open"]], ids=" ".join)
def test_options_that_exclude_each_other_are_refused(runner: FlaskCliRunner, options: list[str]) -> None:
    result = runner.invoke(args=["usage", "list", *options])

    assert (result.exit_code, "Give one of --held, --late and --state" in result.stderr) == (2, True)


@on_sqlite
def test_empty_list_says_so(runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["usage", "list"]).stderr == "There are no hours of usage.\n"
