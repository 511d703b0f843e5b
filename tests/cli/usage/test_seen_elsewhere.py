"""Usage in `subscriptions show`, `customer` and `status`."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from tests.cli.command_output import field_lines
from tests.support.databases import on_sqlite
from tests.support.usage_clock import UsageClock, send_usage, settle_hours

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def refused(app: Flask, clock: UsageClock, subscription_id: UUID) -> UUID:
    """A subscription with an open hour, one that AWS refused, and a held item; return its id."""
    clock.set(28, 12, 30)
    send_usage(app, subscription_id, "2026-11-28T12:10:00Z", "1.5")
    settle_hours(app, NOON, "refused", code="InvalidTag", settled_at=datetime(2026, 11, 28, 13, 11, tzinfo=UTC))
    clock.set(28, 14, 30)
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z", "2")
    send_usage(app, subscription_id, "2026-10-31T12:10:00Z", "3", id="held-1")
    return subscription_id


def read(runner: FlaskCliRunner, *arguments: str) -> Any:
    return json.loads(runner.invoke(args=[*arguments, "--json"]).stdout)


def test_subscription_shows_its_usage_by_state_and_the_latest(runner: FlaskCliRunner, refused: UUID) -> None:
    shown = read(runner, "subscriptions", "show", str(refused))["usage"]
    printed = field_lines(runner.invoke(args=["subscriptions", "show", str(refused)]).stdout)

    assert shown["states"] == {"open": 1, "refused": 1}
    assert [(hour["hour"][11:13], hour["quantity"]) for hour in shown["latest"]] == [("14", "2"), ("12", "1.5")]
    assert ("usage", "open: 1, refused: 1") in printed
    [first, _] = [value.split() for name, value in printed if name == "latest_usage"]
    assert first[:4] == ["2026-11-28T14:00:00.000Z", "users", "2", "open"]


@on_sqlite
def test_subscription_without_usage_shows_none(runner: FlaskCliRunner, subscription_id: UUID) -> None:
    assert "usage" not in dict(field_lines(runner.invoke(args=["subscriptions", "show", str(subscription_id)]).stdout))


def test_customer_shows_usage_that_is_not_billed(runner: FlaskCliRunner, refused: UUID) -> None:
    customer = read(runner, "customer", str(refused))

    entries = [(entry["at"], entry["text"]) for entry in customer["timeline"] if entry["kind"] == "usage"]
    assert entries == [
        ("2026-11-28T13:11:00.000Z", "1.5 of users, hour 2026-11-28 12:00: refused (InvalidTag)"),
        ("2026-11-28T14:30:00.000Z", "3 of users are held, as the item held-1"),
    ]
    [finding] = [finding for finding in customer["findings"] if finding["command"].startswith("usage")]
    assert (finding["level"], "(held: 1, refused: 1)" in finding["text"]) == ("FAIL", True)
    assert runner.invoke(args=finding["command"].split()).exit_code == 0


@on_sqlite
def test_customer_shows_what_was_decided_about_usage(runner: FlaskCliRunner, refused: UUID) -> None:
    runner.invoke(args=["usage", "settle", "held-1", "--write-off", "--by", "alice"])

    texts = [entry["text"] for entry in read(runner, "customer", str(refused))["timeline"]]

    assert "usage was written off by operator:alice" in texts


def test_status_counts_usage_that_is_not_billed(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, refused: UUID
) -> None:
    before = read(runner, "status")
    clock.set(28, 16)
    after = read(runner, "status")
    printed = runner.invoke(args=["status"]).stdout

    assert [before["counts"][f"usage_{name}"] for name in ("unsent", "problems", "held")] == [0, 1, 1]
    assert after["counts"]["usage_unsent"] == 1
    assert "usage gaps" in [finding["command"] for finding in before["findings"]]
    assert "1  hours of usage that AWS does not bill" in printed
    assert "1  hours of usage that should be billed" in printed
    assert "1  items of usage for your decision" in printed
