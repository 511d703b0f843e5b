"""foyer usage gaps: what is wrong with usage, and hours for which none came."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from tests.cli.command_output import apply_events
from tests.support.aws_events import LICENSE_UPDATED, eventbridge_event
from tests.support.databases import on_sqlite
from tests.support.usage_clock import UsageClock, send_usage, settle_hours

TWO = datetime(2026, 11, 28, 14, tzinfo=UTC)


@pytest.fixture
def active(app: Flask, subscription_id: UUID) -> UUID:
    """A subscription that is active since the 28th at 08:20."""
    apply_events(app, eventbridge_event(LICENSE_UPDATED, datetime(2026, 11, 28, 8, 20, tzinfo=UTC)))
    return subscription_id


def read(runner: FlaskCliRunner, *options: str) -> tuple[int, dict[str, Any]]:
    result = runner.invoke(args=["usage", "gaps", "--json", *options])
    return result.exit_code, json.loads(result.stdout)


def test_hours_without_usage_since_the_subscription_is_active_are_listed(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, active: UUID
) -> None:
    for time in ("08:30", "10:30", "13:30", "14:05"):
        clock.set(28, *map(int, time.split(":")))
        send_usage(app, active, f"2026-11-28T{time}:00Z")
    settle_hours(app, datetime(2026, 11, 28, 8, tzinfo=UTC), "billed")
    settle_hours(app, datetime(2026, 11, 28, 10, tzinfo=UTC), "billed")
    clock.set(28, 14, 11)

    code, found = read(runner)
    printed = runner.invoke(args=["usage", "gaps"]).stdout

    [row] = found["missing"]
    assert (row["subscription_id"], row["missing"]) == (str(active), 3)
    assert [hour[11:13] for hour in row["hours"]] == ["09", "11", "12"]
    assert "11-28 09:00-10:00, 11:00-13:00\n" in printed
    assert "What is wrong now\n  Nothing.\n" in printed
    assert (code, found["problems"]) == (0, [])
    assert read(runner, "--hours", "1")[1]["missing"] == []


@on_sqlite
def test_hour_in_its_grace_time_is_no_gap_yet(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, active: UUID
) -> None:
    clock.set(28, 9, 30)
    send_usage(app, active, "2026-11-28T09:10:00Z")
    clock.set(28, 11, 9)
    before = read(runner)[1]["missing"]
    clock.set(28, 11, 10)
    after = read(runner)[1]["missing"]

    assert before == []
    assert [hour[11:13] for hour in after[0]["hours"]] == ["10"]


@on_sqlite
def test_product_that_was_never_metered_has_no_gaps(runner: FlaskCliRunner, active: UUID) -> None:
    assert read(runner) == (0, {"problems": [], "missing": []})


@pytest.mark.parametrize("state", ["conflict", "refused", "expired"])
def test_hour_that_aws_does_not_bill_fails_with_what_to_do(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, state: str
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    settle_hours(app, TWO, state, code="InvalidTag")

    code, found = read(runner)
    printed = runner.invoke(args=["usage", "gaps"]).stdout

    [problem] = found["problems"]
    assert (code, problem["kind"], problem["code"], problem["count"]) == (1, state, "InvalidTag", 1)
    assert problem["command"] == f"usage list --state {state}"
    assert "(InvalidTag): 1, the oldest of 2026-11-28 14:00 UTC." in printed.replace("\n        ", " ")
    assert f"foyer usage list --state {state}\n" in printed


@pytest.mark.parametrize(("minutes", "kinds"), [(14, []), (15, ["unsent"])])
@pytest.mark.parametrize("state", ["open", "sent"])
def test_hour_that_is_not_sent_in_time_fails(
    app: Flask,
    clock: UsageClock,
    subscription_id: UUID,
    state: str,
    minutes: int,
    kinds: list[str],
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    if state == "sent":
        settle_hours(app, TWO, "sent", frozen_at=datetime(2026, 11, 28, 15, 10, tzinfo=UTC))
    clock.set(28, 15, minutes)

    code, found = read(app.test_cli_runner())

    assert ([problem["kind"] for problem in found["problems"]], code) == (kinds, len(kinds))


def test_held_item_fails_until_it_is_settled(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    send_usage(app, subscription_id, "2026-10-31T12:00:00Z", id="held-1")

    code, found = read(runner)
    runner.invoke(args=["usage", "settle", "held-1", "--write-off", "--by", "alice"])

    assert (code, [problem["command"] for problem in found["problems"]]) == (1, ["usage list --held"])
    assert read(runner) == (0, {"problems": [], "missing": []})
