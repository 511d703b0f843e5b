"""foyer handoffs list, show and retry."""

import json
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app import create_app
from app.services.outbox import queue
from app.services.signup import erasure
from tests.cli.command_output import UNKNOWN_ID, list_rows
from tests.support import factories
from tests.support.aws_events import LICENSE_DEPROVISIONED, LICENSE_UPDATED, minutes_after_noon
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_CODE
from tests.support.outbox_messages import (
    claim_due,
    claim_next,
    handoff_messages,
    receive_license_event,
    register_customer,
    registration_id_of,
    settle_message,
)

PERSONAL = [value.partition("\n")[0] for value in factories.ANSWERS.values()]


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


@pytest.fixture
def subscription_id(app: Flask) -> UUID:
    """A subscription with a hand-off that failed and one that waits, and a mail that failed."""
    registered_id = register_customer(app)
    settle_message(app, claim_due(app, queue.MAIL_LANE), "failed", fault="SMTP 550")
    settle_message(app, claim_due(app), "failed", fault="503")
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    return registered_id


def error_text(runner: FlaskCliRunner, *args: str) -> str:
    result = runner.invoke(args=["handoffs", *args])
    assert result.exit_code in {1, 2}
    return result.stderr


def test_handoffs_are_listed_newest_first_without_personal_data(runner: FlaskCliRunner, subscription_id: UUID) -> None:
    printed = runner.invoke(args=["handoffs", "list"]).stdout
    in_json = runner.invoke(args=["handoffs", "list", "--json"]).stdout

    header, newest, oldest = printed.splitlines()
    assert header.split()[:4] == ["id", "created_at", "type", "outcome"]
    assert newest.split()[2:5] == ["subscription.activated", "waiting", "0"]
    assert oldest.split()[2:6] == ["registration.completed", "failed", "1", "503"]
    assert not [value for value in PERSONAL if value in printed + in_json]


@on_sqlite
@pytest.mark.parametrize(
    ("filters", "types"),
    [
        (["--outcome", "failed"], ["registration.completed"]),
        (["--outcome", "waiting"], ["subscription.activated"]),
        (["--outcome", "cancelled"], []),
        (["--product", PRODUCT_CODE], ["subscription.activated", "registration.completed"]),
        (["--subscription", UNKNOWN_ID], []),
        (["--limit", "1"], ["subscription.activated"]),
    ],
)
def test_filters_select_matching_handoffs(
    runner: FlaskCliRunner, subscription_id: UUID, filters: list[str], types: list[str]
) -> None:
    assert [row["type"] for row in list_rows(runner, "handoffs", *filters)] == types


@on_sqlite
def test_subscription_filter_selects_its_handoffs(runner: FlaskCliRunner, subscription_id: UUID) -> None:
    rows = list_rows(runner, "handoffs", "--subscription", str(subscription_id))

    assert {row["subscription_id"] for row in rows} == {str(subscription_id)}
    assert len(rows) == 2


def test_handoff_is_shown_with_payload_by_id_or_webhook_id(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    handoff_id = handoff_messages(app)[0].id

    records = {
        runner.invoke(args=["handoffs", "show", name]).stdout for name in (str(handoff_id), f"msg_{handoff_id.hex}")
    }
    in_json = json.loads(runner.invoke(args=["handoffs", "show", str(handoff_id), "--json"]).stdout)

    (record,) = records
    assert "ada@gmail.com" in record
    assert in_json["payload"]["data"]["registration"]["full_name"] == "Ada Lovelace"
    assert (in_json["outcome"], in_json["fault"]) == ("failed", "503")


@on_sqlite
@pytest.mark.parametrize("name", [UNKNOWN_ID, "msg_none", "7"])
@pytest.mark.parametrize("command", ["show", "retry"])
def test_unknown_handoff_id_fails_and_points_to_the_list(runner: FlaskCliRunner, command: str, name: str) -> None:
    assert f"No hand-off has the id '{name}'. Find it with: foyer handoffs list" in error_text(runner, command, name)


@on_sqlite
def test_malformed_subscription_id_points_to_subscriptions_list(runner: FlaskCliRunner) -> None:
    assert "No subscription has the id '7'. Find it with: foyer subscriptions list" in error_text(
        runner, "list", "--subscription", "7"
    )


def test_failed_handoff_is_resent_before_waiting_ones(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    first = handoff_messages(app)[0]

    result = runner.invoke(args=["handoffs", "retry", f"msg_{first.id.hex}"])

    assert result.output == "Hand-offs to be sent again: 1. A worker has to be running: foyer worker\n"
    assert claim_due(app).id == first.id
    assert claim_next(app) is None
    assert handoff_messages(app)[1].next_try_at is None


@on_sqlite
def test_handoff_behind_an_earlier_one_is_not_resent(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))
    behind = handoff_messages(app)[2].id

    assert f"{behind} is not sent again: it waits behind an earlier hand-off" in error_text(
        runner, "retry", str(behind)
    )


def test_handoff_about_an_erased_person_is_not_resent(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    failed, activated = handoff_messages(app)
    with app.app_context():
        erasure.erase(registration_id_of(app, subscription_id), "operator:alice")

    error = error_text(runner, "retry", str(failed.id))

    assert "as when its person was erased" in error
    assert [message.outcome for message in handoff_messages(app)] == ["failed", "waiting"]
    assert claim_due(app).id == activated.id


@pytest.mark.parametrize("filters", [[], ["--product", PRODUCT_CODE]])
def test_all_failed_handoffs_are_resent(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, filters: list[str]
) -> None:
    settle_message(app, claim_due(app), "failed", fault="410")

    result = runner.invoke(args=["handoffs", "retry", "--failed", *filters])

    assert result.output.startswith("Hand-offs to be sent again: 2.")
    assert [message.outcome for message in handoff_messages(app)] == ["waiting"] * 2
    assert [bool(message.next_try_at) for message in handoff_messages(app)] == [True, False]


@on_sqlite
def test_handoffs_of_a_product_without_endpoint_are_not_resent(
    app: Flask, environment: pytest.MonkeyPatch, subscription_id: UUID
) -> None:
    failed = str(handoff_messages(app)[0].id)
    environment.delenv("PRODUCT_HANDOFF_URL")

    with factories.open_app(create_app()) as restarted:
        runner = restarted.test_cli_runner()
        errors = [
            error_text(runner, "retry", failed),
            error_text(runner, "retry", "--failed", "--product", PRODUCT_CODE),
        ]
        all_failed = runner.invoke(args=["handoffs", "retry", "--failed"]).output

    assert [f"{PRODUCT_CODE} takes no hand-offs. Products that do: none. Correct the" in error for error in errors] == [
        True,
        True,
    ]
    assert all_failed.startswith("Hand-offs to be sent again: 0.")
    assert handoff_messages(app)[0].outcome == "failed"


@on_sqlite
@pytest.mark.parametrize(
    "args", [[], [UNKNOWN_ID, "--failed"], ["--product", PRODUCT_CODE], [UNKNOWN_ID, "--product", PRODUCT_CODE]]
)
def test_retry_takes_either_one_id_or_failed(runner: FlaskCliRunner, args: list[str]) -> None:
    assert "Give one ID, or --failed and maybe --product CODE." in error_text(runner, "retry", *args)
