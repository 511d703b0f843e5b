"""foyer usage export: a month's sums by license and dimension, and by what became of them."""

import csv
import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app.services.usage_reports.totals import COLUMNS
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import register_customer
from tests.support.usage_clock import UsageClock, send_many, send_usage, settle_hours

LARGEST = "9999999999.999999"
NOVEMBER = ["--month", "2026-11"]


def export(runner: FlaskCliRunner, *options: str) -> list[dict[str, Any]]:
    result = runner.invoke(args=["usage", "export", "--format", "jsonl", *options])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_month_is_summed_by_license_dimension_and_state(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, subscription_id: UUID
) -> None:
    clock.set(28, 12, 30)
    send_usage(app, subscription_id, "2026-11-28T12:10:00Z", "0.1")
    send_usage(app, subscription_id, "2026-11-28T12:20:00Z", "0.2000001")
    settle_hours(app, datetime(2026, 11, 28, 12, tzinfo=UTC), "billed")
    clock.set(28, 14, 30)
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z", "7")
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z", "3", dimension="gigabytes")

    gigabytes, users = export(runner, *NOVEMBER)

    assert list(users) == list(COLUMNS)
    assert (users["used"], users["billed"], users["open"], users["conflict"]) == ("7.3000001", "0.3", "7", "0")
    assert (gigabytes["dimension"], gigabytes["used"], gigabytes["open"]) == ("gigabytes", "3", "3")
    assert users["license_arn"] == factories.customer().license_arn
    assert export(runner, "--month", "2026-10") == []
    assert export(runner) == [gigabytes, users]


def test_items_that_no_hour_bills_are_in_their_own_month(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    # More than SQLite's sum of integers holds.
    send_many(app, subscription_id, "2026-10-31T12:40:00Z", LARGEST, count=1000)
    runner.invoke(args=["usage", "settle", "item-7", "--write-off", "--by", "alice"])

    [row] = export(runner, "--month", "2026-10")

    assert (row["used"], row["held"], row["written_off"], row["license_arn"]) == (
        "9999999999999.999",
        "9989999999999.999001",
        LARGEST,
        None,
    )


@on_sqlite
def test_csv_has_a_header_and_no_formulas(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, tmp_path: Path
) -> None:
    send_usage(app, register_customer(app, company="=cmd"), "2026-11-28T14:10:00Z", "1.5")

    printed = runner.invoke(args=["usage", "export", *NOVEMBER]).stdout
    written = runner.invoke(args=["usage", "export", *NOVEMBER, "--output", str(tmp_path / "usage.csv")])

    [row] = csv.DictReader(StringIO(printed))
    assert (row["company"], row["used"], row["held"]) == ("'=cmd", "1.5", "0")
    assert (written.exit_code, (tmp_path / "usage.csv").read_text().splitlines()) == (0, printed.splitlines())


@on_sqlite
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--month", "November"], "is no month, such as 20"),
        (["--product", "unknown"], "is no product code of yours"),
    ],
)
def test_invalid_option_says_what_is_wanted(runner: FlaskCliRunner, options: list[str], problem: str) -> None:
    result = runner.invoke(args=["usage", "export", *options])

    assert (result.exit_code, problem in result.stderr) == (2, True)
