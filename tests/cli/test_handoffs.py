"""flask handoffs: what was promised to products, what one says, and what is sent again."""

import json
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app import create_app
from app.services.outbox import queue
from app.services.signup import erasure
from tests.cli.command_output import UNKNOWN_ID
from tests.support import factories
from tests.support.aws_events import minutes_after_noon
from tests.support.databases import on_sqlite
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.outbox_messages import (
    LICENSE_DEPROVISIONED,
    LICENSE_UPDATED,
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
    its_id = register_customer(app)
    settle_message(app, claim_due(app, queue.MAIL_LANE), "failed", fault="SMTP 550")
    settle_message(app, claim_due(app), "failed", fault="503")
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    return its_id


def listed(runner: FlaskCliRunner, *filters: str) -> list[dict[str, Any]]:
    result = runner.invoke(args=["handoffs", "list", "--json", *filters])
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def refused(runner: FlaskCliRunner, *args: str) -> str:
    result = runner.invoke(args=["handoffs", *args])
    assert result.exit_code in {1, 2}
    return result.stderr


def test_hand_offs_are_listed_newest_first_and_say_nothing_of_a_person(
    runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    printed = runner.invoke(args=["handoffs", "list"]).stdout
    in_json = runner.invoke(args=["handoffs", "list", "--json"]).stdout

    header, newest, oldest = printed.splitlines()
    assert header.split()[:4] == ["id", "created_at", "type", "outcome"]
    assert newest.split()[2:5] == ["subscription.activated", "waiting", "0"]
    assert oldest.split()[2:6] == ["registration.completed", "failed", "1", "503"]
    assert not [value for value in PERSONAL if value in printed + in_json]


@on_sqlite
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--outcome", "failed"], ["registration.completed"]),
        (["--outcome", "waiting"], ["subscription.activated"]),
        (["--outcome", "cancelled"], []),
        (["--product", PRODUCT_CODE], ["subscription.activated", "registration.completed"]),
        (["--product", OTHER_PRODUCT_CODE], []),
        (["--subscription", UNKNOWN_ID], []),
        (["--limit", "1"], ["subscription.activated"]),
    ],
)
def test_a_filter_leaves_only_those_that_match(
    runner: FlaskCliRunner, subscription_id: UUID, filters: list[str], found: list[str]
) -> None:
    assert [row["type"] for row in listed(runner, *filters)] == found


@on_sqlite
def test_those_of_one_subscription_are_found_by_its_id(runner: FlaskCliRunner, subscription_id: UUID) -> None:
    rows = listed(runner, "--subscription", str(subscription_id))

    assert {row["subscription_id"] for row in rows} == {str(subscription_id)}
    assert len(rows) == 2


def test_one_is_shown_with_all_that_it_tells_by_its_id_or_what_the_product_calls_it(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    handoff_id = handoff_messages(app)[0].id

    sheets = {
        runner.invoke(args=["handoffs", "show", name]).stdout for name in (str(handoff_id), f"msg_{handoff_id.hex}")
    }
    in_json = json.loads(runner.invoke(args=["handoffs", "show", str(handoff_id), "--json"]).stdout)

    (sheet,) = sheets
    assert "ada@gmail.com" in sheet
    assert in_json["payload"]["data"]["registration"]["full_name"] == "Ada Lovelace"
    assert (in_json["outcome"], in_json["fault"]) == ("failed", "503")


@on_sqlite
@pytest.mark.parametrize("name", [UNKNOWN_ID, "msg_none", "7"])
@pytest.mark.parametrize("command", ["show", "retry"])
def test_one_that_is_not_there_is_named_and_where_to_look(runner: FlaskCliRunner, command: str, name: str) -> None:
    assert f"There is no '{name}' here. Look for it with: flask --app wsgi handoffs list" in refused(
        runner, command, name
    )


@on_sqlite
def test_a_subscription_that_is_none_is_looked_for_among_subscriptions(runner: FlaskCliRunner) -> None:
    assert "There is no '7' here. Look for it with: flask --app wsgi subscriptions list" in refused(
        runner, "list", "--subscription", "7"
    )


def test_one_that_failed_is_sent_again_before_those_that_wait(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    first = handoff_messages(app)[0]

    result = runner.invoke(args=["handoffs", "retry", f"msg_{first.id.hex}"])

    assert result.output == "Hand-offs that go out again: 1. A worker has to run: flask --app wsgi worker\n"
    assert claim_due(app).id == first.id
    assert claim_next(app) is None
    assert handoff_messages(app)[1].next_try_at is None


@on_sqlite
def test_one_that_waits_behind_another_is_not_sent_before_it(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))
    behind = handoff_messages(app)[2].id

    assert f"{behind} waits behind an earlier one" in refused(runner, "retry", str(behind))


def test_one_that_told_of_an_erased_person_is_not_sent_again(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    failed, activated = handoff_messages(app)
    with app.app_context():
        erasure.erase(registration_id_of(app, subscription_id), "operator:alice")

    said = refused(runner, "retry", str(failed.id))

    assert "what it told of was erased" in said
    assert [message.outcome for message in handoff_messages(app)] == ["failed", "waiting"]
    assert claim_due(app).id == activated.id


@pytest.mark.parametrize("filters", [[], ["--product", PRODUCT_CODE]])
def test_all_that_failed_are_sent_again(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, filters: list[str]
) -> None:
    settle_message(app, claim_due(app), "failed", fault="410")

    result = runner.invoke(args=["handoffs", "retry", "--failed", *filters])

    assert result.output.startswith("Hand-offs that go out again: 2.")
    assert [message.outcome for message in handoff_messages(app)] == ["waiting"] * 2
    assert [bool(message.next_try_at) for message in handoff_messages(app)] == [True, False]


@on_sqlite
def test_what_no_product_takes_any_more_is_not_said_to_go_out(
    app: Flask, environment: pytest.MonkeyPatch, subscription_id: UUID
) -> None:
    failed = str(handoff_messages(app)[0].id)
    environment.delenv("PRODUCT_HANDOFF_URL")

    with factories.open_app(create_app()) as later:
        runner = later.test_cli_runner()
        said = [refused(runner, "retry", failed), refused(runner, "retry", "--failed", "--product", PRODUCT_CODE)]
        of_all = runner.invoke(args=["handoffs", "retry", "--failed"]).output

    assert [f"{PRODUCT_CODE} takes no hand-offs. Those that do: none. Correct the" in each for each in said] == [
        True,
        True,
    ]
    assert of_all.startswith("Hand-offs that go out again: 0.")
    assert handoff_messages(app)[0].outcome == "failed"


@on_sqlite
@pytest.mark.parametrize(
    "args", [[], [UNKNOWN_ID, "--failed"], ["--product", PRODUCT_CODE], [UNKNOWN_ID, "--product", PRODUCT_CODE]]
)
def test_either_one_or_all_that_failed_are_sent_again(runner: FlaskCliRunner, args: list[str]) -> None:
    assert "Give one ID, or --failed and maybe --product CODE." in refused(runner, "retry", *args)
