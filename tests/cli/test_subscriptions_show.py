"""foyer subscriptions show: events, entitlements, and ids from before a renewal."""

import json
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskCliRunner

from app import create_app
from tests.cli.command_output import apply_events, entitle, field_lines, table_cells
from tests.cli.conftest import CreateRegistration, CreateSubscription
from tests.support import factories
from tests.support.aws_events import eventbridge_event, minutes_after_noon

ARN = "arn:aws:license-manager::294406891311:license:l-0123456789abcdef"
OTHER_ARN = "arn:aws:license-manager::294406891311:license:l-other"
CREATED = "Purchase Agreement Created - Manufacturer"
UPDATED = "License Updated - Manufacturer"
DEPROVISIONED = "License Deprovisioned - Manufacturer"


def sell_by_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCT_PRICING", "contract")


@pytest.mark.parametrize("name", ["l-0123456789abcdef", ARN, "agmt-4mwg1nevbokzw95eca5797ixs", "agmt-new", "l-new"])
def test_renewed_subscription_is_found_by_its_earlier_ids(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription, name: str
) -> None:
    wanted = create_subscription(license_arn=ARN)
    create_subscription(license_arn=OTHER_ARN, agreement_id="agmt-other", customer_aws_account_id="998877665544")
    renewal = {"agreement": "agmt-new", "previous": "agmt-4mwg1nevbokzw95eca5797ixs"}
    apply_events(
        app,
        eventbridge_event(CREATED, minutes_after_noon(5), **renewal),
        eventbridge_event(UPDATED, minutes_after_noon(6), agreement="agmt-new", license="l-new"),
    )

    result = runner.invoke(args=["subscriptions", "show", name, "--json"])

    shown = json.loads(result.stdout)
    assert (shown["id"], shown["purchase_key"], shown["agreement_id"]) == (str(wanted), "l-new", "agmt-new")


def test_subscription_shows_its_events_in_order_of_occurrence(
    app: Flask, runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    create_registration({"license_arn": ARN})
    apply_events(
        app,
        eventbridge_event(UPDATED, minutes_after_noon(5), ends="2027-11-02T12:00:00Z"),
        eventbridge_event(CREATED, minutes_after_noon(0)),
    )

    printed = runner.invoke(args=["subscriptions", "show", ARN]).stdout
    shown = json.loads(runner.invoke(args=["subscriptions", "show", ARN, "--json"]).stdout)

    assert [(event["kind"], event["outcome"], event["status_after"]) for event in shown["events"]] == [
        (CREATED, "noted", None),
        (UPDATED, "applied", "active"),
    ]
    assert not any("body" in event for event in shown["events"])
    first, second = (table_cells(value) for name, value in field_lines(printed) if name == "events")
    assert first[:3] == ["2026-11-02T12:00:00.000Z", "noted", CREATED]
    assert second[:3] == ["2026-11-02T12:05:00.000Z", "applied: active", UPDATED]
    assert second[-1] == shown["events"][1]["id"]
    assert ("ends_at", "2027-11-02T12:00:00.000Z") in field_lines(printed)


def test_entitlements_show_their_end_and_whether_they_expired(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    create_subscription(license_arn=ARN)
    expired, current, endless = (
        {"dimension": dimension, "value": value, "expires_at": expires_at}
        for dimension, value, expires_at in (
            ("Users", 25, "2026-11-01T00:00:00+00:00"),
            ("Storage", "large", "2999-01-01T00:00:00+00:00"),
            ("Support", True, None),
        )
    )
    entitle(app, entitlements=[expired, current, endless])

    with time_machine.travel(datetime(2026, 11, 1, tzinfo=UTC), tick=False):
        printed = runner.invoke(args=["subscriptions", "show", ARN]).stdout
        shown = json.loads(runner.invoke(args=["subscriptions", "show", ARN, "--json"]).stdout)

    assert [value.split() for name, value in field_lines(printed) if name == "entitlements"] == [
        ["Users", "25", "until", "2026-11-01T00:00:00.000Z", "EXPIRED"],
        ["Storage", "large", "until", "2999-01-01T00:00:00.000Z"],
        ["Support", "True", "without", "an", "end"],
    ]
    assert ("entitlements_read_at", "2026-11-02T00:00:00.000Z") in field_lines(printed)
    assert [
        (entitlement["dimension"], entitlement["value"], entitlement["expired"])
        for entitlement in shown["entitlements"]
    ] == [
        ("Users", 25, True),
        ("Storage", "large", False),
        ("Support", True, False),
    ]
    assert shown["entitlements"][0]["expires_at"] == "2026-11-01T00:00:00.000Z"


def test_registration_shows_the_entitlements_of_its_purchase(
    app: Flask, runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    registration_id = create_registration({"license_arn": ARN})
    values = (
        {"dimension": "Users", "value": 25, "expires_at": None},
        {"dimension": "S", "value": 1, "expires_at": None},
    )
    entitle(app, entitlements=list(values))

    printed = runner.invoke(args=["registrations", "show", str(registration_id)]).stdout

    assert [value.split() for name, value in field_lines(printed) if name == "entitlements"] == [
        ["Users", "25"],
        ["S", "1"],
    ]


def test_usage_product_shows_that_it_has_no_entitlements(
    runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    create_subscription(license_arn=ARN)

    result = runner.invoke(args=["subscriptions", "show", ARN])

    assert ("entitlements", "none: the product is paid by use") in field_lines(result.stdout)


def test_unread_entitlements_differ_from_no_entitlements(
    environment: pytest.MonkeyPatch,
) -> None:
    sell_by_contract(environment)
    with factories.open_app(create_app()) as app:
        apply_events(app, eventbridge_event(UPDATED))
        runner = app.test_cli_runner()

        before = runner.invoke(args=["subscriptions", "show", "l-0123456789abcdef"]).stdout
        entitle(app, entitlements=[])
        after = runner.invoke(args=["subscriptions", "show", "l-0123456789abcdef"]).stdout

    assert ("entitlements", "not read yet") in field_lines(before)
    assert ("entitlements", "none") in field_lines(after)


def test_purchase_known_only_from_events_says_buyer_never_landed(app: Flask, runner: FlaskCliRunner) -> None:
    apply_events(app, eventbridge_event(UPDATED))

    result = runner.invoke(args=["subscriptions", "show", "l-0123456789abcdef"])

    assert 'has subscribed but has never pressed "Set up your account"' in result.stdout
    assert "sign-up form" not in result.stdout


def test_purchase_that_ended_before_landing_needs_no_action(app: Flask, runner: FlaskCliRunner) -> None:
    apply_events(app, eventbridge_event(UPDATED), eventbridge_event(DEPROVISIONED, minutes_after_noon(60)))

    result = runner.invoke(args=["subscriptions", "show", "l-0123456789abcdef"])

    assert "the purchase is over: nothing to do" in result.stdout


@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
def test_control_characters_in_entitlements_are_escaped(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription, options: list[str]
) -> None:
    create_subscription(license_arn=ARN)
    entitle(app, entitlements=[{"dimension": "\x1b[2J\u202eevil", "value": "\x9b31m\n", "expires_at": None}])

    result = runner.invoke(args=["subscriptions", "show", ARN, *options])

    assert "evil" in result.stdout
    assert all(line.isprintable() for line in result.stdout.splitlines())
