"""foyer usage settle: held items are billed now or written off, and so are hours that AWS does not bill."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner

from app.models import AuditEntry, UsageHour, UsageItem
from app.services.metering import quantity
from tests.cli.command_output import apply_events, list_rows
from tests.support.aws_events import LICENSE_DEPROVISIONED, eventbridge_event
from tests.support.databases import on_sqlite
from tests.support.stored_rows import all_rows
from tests.support.usage_clock import UsageClock, send_usage, settle_hours

TWO = datetime(2026, 11, 28, 14, tzinfo=UTC)


@pytest.fixture
def held(app: Flask, subscription_id: UUID) -> None:
    """An item of the month before, which is held."""
    verdict = send_usage(app, subscription_id, "2026-10-31T12:40:00Z", "6.0000001", id="held-1", tags={"team": "red"})
    assert verdict.detail
    assert verdict.detail.startswith("Held")


def settle(runner: FlaskCliRunner, *arguments: str) -> Result:
    return runner.invoke(args=["usage", "settle", *arguments, "--by", "alice"])


def audit_entries(app: Flask) -> list[tuple[str, str, UUID | None]]:
    return [(entry.action, entry.actor, entry.subscription_id) for entry in all_rows(app, AuditEntry)]


def test_held_item_is_billed_in_the_hour_that_runs(
    app: Flask, runner: FlaskCliRunner, held: None, subscription_id: UUID
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z", "1")

    result = settle(runner, "held-1", "--next-hour")

    assert result.stdout == "The item is billed in the hour 2026-11-28 14:00 UTC: 6.0000001 of users.\n"
    [hour] = all_rows(app, UsageHour)
    assert (hour.hour, quantity.to_text(quantity.join(hour.micros, hour.picos))) == (TWO, "7.0000001")
    assert {item.hour_id for item in all_rows(app, UsageItem)} == {hour.id}
    assert audit_entries(app) == [("usage.billed_later", "operator:alice", subscription_id)]


def test_held_item_is_written_off(app: Flask, runner: FlaskCliRunner, held: None, subscription_id: UUID) -> None:
    result = settle(runner, "held-1", "--write-off")

    assert result.stdout == "The item is written off: 6.0000001 of users are not billed.\n"
    assert list_rows(runner, "usage", "--held") == []
    assert all_rows(app, UsageHour) == []
    assert audit_entries(app) == [("usage.written_off", "operator:alice", subscription_id)]


@pytest.mark.parametrize("state", ["conflict", "refused", "expired"])
def test_hour_that_aws_does_not_bill_is_written_off(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, state: str
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    settle_hours(app, TWO, state)
    [hour] = all_rows(app, UsageHour)

    result = settle(runner, str(hour.id), "--write-off")

    assert result.stdout == "The hour is written off: 1 of users are not billed.\n"
    [hour] = all_rows(app, UsageHour)
    assert (hour.state, bool(hour.settled_at)) == ("written-off", True)
    assert audit_entries(app) == [("usage.written_off", "operator:alice", subscription_id)]


@on_sqlite
@pytest.mark.parametrize("state", ["open", "frozen", "sent", "billed"])
def test_hour_that_may_be_billed_is_not_written_off(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, state: str
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    settle_hours(app, TWO, state)
    [hour] = all_rows(app, UsageHour)

    result = settle(runner, str(hour.id), "--write-off")

    assert (result.exit_code, f"The hour is {state}." in result.stderr) == (1, True)
    assert all_rows(app, UsageHour)[0].state == state
    assert audit_entries(app) == []


@pytest.mark.parametrize(("first", "second"), [("--write-off", "--next-hour"), ("--next-hour", "--write-off")])
def test_second_decision_about_an_item_is_refused(
    app: Flask, runner: FlaskCliRunner, held: None, first: str, second: str
) -> None:
    settle(runner, "held-1", first)
    before = [(item.hour_id, item.written_off_at) for item in all_rows(app, UsageItem)]

    result = settle(runner, "held-1", second)

    assert result.exit_code == 1
    assert "See: foyer usage show held-1" in result.stderr
    assert [(item.hour_id, item.written_off_at) for item in all_rows(app, UsageItem)] == before


@on_sqlite
def test_item_of_an_ended_subscription_can_only_be_written_off(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, held: None
) -> None:
    ended_at = datetime(2026, 11, 28, 10, tzinfo=UTC)
    apply_events(app, eventbridge_event(LICENSE_DEPROVISIONED, ended_at))

    refused = settle(runner, "held-1", "--next-hour")

    assert "AWS has taken no usage of the subscription since 2026-11-28 11:00 UTC. Write it off." in refused.stderr
    assert settle(runner, "held-1", "--write-off").exit_code == 0


@on_sqlite
def test_hour_is_not_billed_in_another_hour(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    settle_hours(app, TWO, "expired")

    result = settle(runner, str(all_rows(app, UsageHour)[0].id), "--next-hour")

    assert (result.exit_code, "usage again as new items" in result.stderr) == (1, True)


@on_sqlite
@pytest.mark.parametrize("options", [[], ["--next-hour", "--write-off"], ["--send-again", "--write-off"]], ids=str)
def test_one_decision_is_needed(runner: FlaskCliRunner, held: None, options: list[str]) -> None:
    result = settle(runner, "held-1", *options)

    assert (result.exit_code, "Give one of --next-hour, --send-again and --write-off." in result.stderr) == (2, True)


def test_refused_hour_is_due_again_with_its_quantity(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, subscription_id: UUID
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z", "2.5")
    settle_hours(app, TWO, "refused", code="InvalidUsageDimensionException", settled_at=TWO, due_at=None)
    [hour] = all_rows(app, UsageHour)
    clock.set(29, 13, 50)

    result = settle(runner, str(hour.id), "--send-again")

    assert result.stdout.startswith("The hour is sent again: 2.5 of users. AWS takes it until 2026-11-29 13:58 UTC.")
    [hour] = all_rows(app, UsageHour)
    assert (hour.state, hour.due_at, hour.settled_at) == ("frozen", clock.now, None)
    assert audit_entries(app) == [("usage.sent_again", "operator:alice", subscription_id)]


def test_refused_hour_is_not_sent_again_after_its_time(
    app: Flask, runner: FlaskCliRunner, clock: UsageClock, subscription_id: UUID
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    settle_hours(app, TWO, "refused")
    clock.set(29, 13, 58)

    result = settle(runner, str(all_rows(app, UsageHour)[0].id), "--send-again")

    assert result.exit_code == 1
    assert "AWS has not taken the hour since 2026-11-29 13:58 UTC. To bill its usage, send it as new" in result.stderr
    assert all_rows(app, UsageHour)[0].state == "refused"


@on_sqlite
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("open", "The hour is open: a worker sends it by itself."),
        ("frozen", "The hour is frozen: a worker sends it by itself."),
        ("sent", "The hour is sent: a worker sends it by itself."),
        ("billed", "AWS has billed the hour."),
        ("conflict", "takes no second one. To bill its usage, send it as new items"),
        ("expired", "of a month that is closed. To bill its usage, send it as new items"),
        ("written-off", "It was decided that the hour is never billed."),
    ],
)
def test_hour_in_another_state_is_not_sent_again(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, state: str, reason: str
) -> None:
    send_usage(app, subscription_id, "2026-11-28T14:10:00Z")
    settle_hours(app, TWO, state)

    result = settle(runner, str(all_rows(app, UsageHour)[0].id), "--send-again")

    assert (result.exit_code, reason in result.stderr) == (1, True)
    assert all_rows(app, UsageHour)[0].state == state
    assert audit_entries(app) == []


@on_sqlite
def test_item_is_not_sent_again_by_itself(runner: FlaskCliRunner, held: None) -> None:
    result = settle(runner, "held-1", "--send-again")

    assert (result.exit_code, "give the id of its hour" in result.stderr) == (1, True)
