"""foyer events replay: applies an event again, for a given subscription or after its product was added."""

from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app import create_app
from app.services.purchases import subscriptions
from tests.cli.command_output import OLD_LISTING_CUSTOMER, UNKNOWN_ID, apply_events, create_two_purchases, show_event
from tests.cli.conftest import CreateSubscription
from tests.support import factories
from tests.support.aws_events import LICENSE_ID, eventbridge_event, minutes_after_noon, sns_notification
from tests.support.factories import OTHER_PRODUCT_CODE

CREATED = "Purchase Agreement Created - Manufacturer"
UPDATED = "License Updated - Manufacturer"


def status(app: Flask, subscription_id: UUID) -> str:
    with app.app_context():
        subscription = subscriptions.find(subscription_id)
    assert subscription
    return str(subscription.status)


def add_other_product(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Add the other product to the settings that the next application reads."""
    fields = "\n".join(f'{name} = "{value}"' for name, value in factories.PRODUCT_FIELDS.items())
    (tmp_path / "products.toml").write_text(
        "".join(f"[products.{code}]\n{fields}\n" for code in factories.PRODUCT_CODES)
    )
    for name in ("CODE", "NAME", "SIGN_IN_URL"):
        monkeypatch.delenv(f"PRODUCT_{name}")
    monkeypatch.delenv("SUPPORT_EMAIL")
    monkeypatch.setenv("PRODUCTS_FILE", str(tmp_path / "products.toml"))


def test_replay_applies_an_event_to_the_given_subscription(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    first, second = create_two_purchases(create_subscription)
    [event_id] = apply_events(app, sns_notification("subscribe-success"))

    result = runner.invoke(args=["events", "replay", str(event_id), "--subscription", str(second)])

    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "applied: active")
    assert (status(app, first), status(app, second)) == ("pending", "active")
    assert show_event(runner, event_id)["subscription_id"] == str(second)


def test_event_is_replayed_by_aws_id_and_twice_succeeds(app: Flask, runner: FlaskCliRunner) -> None:
    body = eventbridge_event(UPDATED)
    [event_id] = apply_events(app, body)
    subscription_id = UUID(show_event(runner, event_id)["subscription_id"])

    results = [runner.invoke(args=["events", "replay", body["id"]]) for _ in range(2)]

    assert [result.exit_code for result in results] == [0, 0]
    assert all(str(subscription_id) in result.stdout for result in results)
    assert status(app, subscription_id) == "active"


def test_events_of_a_product_added_later_are_replayed_in_order(
    app: Flask, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    [first] = apply_events(app, sns_notification("subscribe-success", minutes_after_noon(0), code=OTHER_PRODUCT_CODE))
    [second] = apply_events(
        app, sns_notification("unsubscribe-pending", minutes_after_noon(5), code=OTHER_PRODUCT_CODE)
    )
    [still_unknown] = apply_events(app, sns_notification("subscribe-success", code="unknowncode"))
    add_other_product(environment, tmp_path)

    with factories.open_app(create_app()) as restarted:
        runner = restarted.test_cli_runner()
        meaning = runner.invoke(args=["events", "show", str(first)]).stdout
        result = runner.invoke(args=["events", "replay", "--outcome", "not_ours"])
        again = runner.invoke(args=["events", "replay", "--outcome", "not_ours"])

    assert f"has been added since. Run: foyer events replay {first}" in meaning
    assert result.stdout.splitlines() == [
        f"{first}  applied: active",
        f"{second}  applied: ending",
        f"{still_unknown}  not_ours",
        "Events replayed: 3",
    ]
    assert again.stdout.splitlines() == [f"{still_unknown}  not_ours", "Events replayed: 1"]


def test_replay_without_matching_events_succeeds(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["events", "replay", "--outcome", "waiting"])

    assert (result.exit_code, result.stdout) == (0, "Events replayed: 0\n")


def test_replay_for_an_unknown_subscription_changes_nothing(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = apply_events(app, eventbridge_event(CREATED, agreement="agmt-nobody"))

    result = runner.invoke(args=["events", "replay", str(event_id), "--subscription", UNKNOWN_ID])

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"No subscription has the id {UNKNOWN_ID}" in result.stderr
    assert show_event(runner, event_id)["outcome"] == "waiting"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["an-id", "--outcome", "waiting"],
        ["--outcome", "waiting", "--subscription", UNKNOWN_ID],
        ["--outcome", "applied"],
        ["an-id", "--subscription", LICENSE_ID],
        ["--subscription", UNKNOWN_ID],
    ],
    ids=str,
)
def test_replay_takes_either_an_id_or_an_outcome(runner: FlaskCliRunner, arguments: list[str]) -> None:
    result = runner.invoke(args=["events", "replay", *arguments])

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage:" in result.stderr


@pytest.mark.parametrize(
    ("customer", "event", "reason"),
    [
        (
            {"customer_aws_account_id": "999999999999"},
            eventbridge_event(CREATED, agreement="agmt-b"),
            "belongs to another AWS account",
        ),
        ({"product_code": OTHER_PRODUCT_CODE}, eventbridge_event(UPDATED, license="l-b"), "belongs to another product"),
        (
            OLD_LISTING_CUSTOMER | {"customer_identifier": "another"},
            sns_notification("unsubscribe-success"),
            "belongs to another customer",
        ),
    ],
)
def test_replay_refuses_a_subscription_of_another_customer_or_product(
    app: Flask,
    runner: FlaskCliRunner,
    create_subscription: CreateSubscription,
    customer: dict[str, str],
    event: dict[str, str],
    reason: str,
) -> None:
    other_id = create_subscription(**customer)
    [event_id] = apply_events(app, event)
    before = show_event(runner, event_id)

    result = runner.invoke(args=["events", "replay", str(event_id), "--subscription", str(other_id)])

    assert (result.exit_code, result.stdout) == (1, "")
    assert reason in result.stderr
    assert status(app, other_id) == "pending"
    assert show_event(runner, event_id) == before
