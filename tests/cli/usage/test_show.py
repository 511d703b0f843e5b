"""foyer usage show: an hour with its items and calls, an item, and what happens next."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app.models import UsageHour
from sandbox.server import Sandbox
from tests.cli.command_output import field_lines
from tests.support import metered_product
from tests.support.databases import on_sqlite
from tests.support.metered_product import at
from tests.support.stored_rows import all_rows
from tests.support.usage_clock import UsageClock, send_usage, settle_hours

TWO = datetime(2026, 11, 28, 14, tzinfo=UTC)


def show(runner: FlaskCliRunner, name: str) -> Any:
    result = runner.invoke(args=["usage", "show", name, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_billed_hour_shows_its_items_and_what_aws_was_sent(
    app: Flask, runner: FlaskCliRunner, sandbox: Sandbox
) -> None:
    with metered_product.open_product(app, sandbox) as metered:
        purchase = metered.buy()
        metered.use(purchase, "1.5", id="first")
        metered.use(purchase, "0.25", id="second")
        metered.set_clock(at("10:10"))
        metered.work()
        [hour] = metered.hours()
        [record] = metered.records()
        shown = show(runner, str(hour.id))
        printed = runner.invoke(args=["usage", "show", str(hour.id)[:13]]).stdout

    assert (shown["state"], shown["quantity"], shown["sent_quantity"], shown["items"]) == ("billed", "1.75", "1.75", 2)
    assert [item["item_id"] for item in shown["latest_items"]] == ["second", "first"]
    [attempt] = shown["attempts"]
    assert attempt["outcome"] == "answered"
    assert attempt["sent"]["QuantityAsDecimal"] == "1.75"
    assert (shown["metering_record_id"], shown["deadline"]) == (record.metering_record_id, None)
    lines = field_lines(printed)
    assert ("next", "Nothing: AWS has billed it.") in lines
    [call] = [value for name, value in lines if name == "calls"]
    assert call.split()[1:] == ["1.75", "for", "2026-11-28T09:30:00Z", "answered"]


def test_open_hour_shows_until_when_it_takes_items_and_aws_takes_it(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    [hour] = all_rows(app, UsageHour)

    shown = show(runner, str(hour.id))

    assert shown["next"] == "It takes items until 2026-11-28 15:10:00 UTC. Then it is frozen and sent."
    assert shown["deadline"] == "2026-11-29T13:58:00.000Z"


@on_sqlite
def test_hour_that_should_have_been_sent_asks_for_the_worker(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, subscription_id: UUID
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    clock.set(28, 16)

    assert show(runner, str(all_rows(app, UsageHour)[0].id))["next"].endswith(
        "look whether a worker runs: foyer status"
    )


@on_sqlite
@pytest.mark.parametrize(
    ("state", "option"), [("conflict", "--write-off"), ("refused", "--send-again"), ("expired", "--write-off")]
)
def test_hour_that_aws_does_not_bill_names_the_command(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, state: str, option: str
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    settle_hours(app, TWO, state, code="InvalidTag")
    [hour] = all_rows(app, UsageHour)

    assert show(runner, str(hour.id))["next"].endswith(f"foyer usage settle {hour.id} {option}")


@on_sqlite
def test_refused_hour_whose_time_is_over_is_written_off(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, subscription_id: UUID
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    settle_hours(app, TWO, "refused", code="InvalidTag")
    [hour] = all_rows(app, UsageHour)
    clock.set(29, 15)

    assert show(runner, str(hour.id))["next"].endswith(f"foyer usage settle {hour.id} --write-off")


def test_item_is_shown_by_the_products_id(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z", id="u-1", tags={"team": "red"})
    send_usage(app, subscription_id, "2026-10-28T14:10:00Z", id=str(subscription_id))
    [hour] = all_rows(app, UsageHour)

    billed, held = show(runner, "u-1"), show(runner, str(subscription_id))

    assert (billed["tags"], billed["next"]) == (
        {"team": "red"},
        f"It is a part of the hour 2026-11-28T14:00Z: foyer usage show {hour.id}",
    )
    assert held["next"].endswith(f"foyer usage settle {subscription_id} --next-hour, or --write-off")


@on_sqlite
@pytest.mark.parametrize("name", ["01a20686-2de5-73fe-a873-6ff2af26fc4a", "abc", "u-1", "\x1b[2J"])
def test_unknown_id_fails_and_names_the_list(runner: FlaskCliRunner, name: str) -> None:
    result = runner.invoke(args=["usage", "show", name])

    assert result.exit_code == 1
    assert "Find it with: foyer usage list" in result.stderr
    assert "\x1b" not in result.stderr
