"""flask events: what AWS has told us, and what became of it."""

import json
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from tests.cli.command_output import (
    OLD_LISTING_CUSTOMER,
    UNKNOWN_ID,
    apply_events,
    create_two_purchases,
    show_event,
    table_cells,
)
from tests.cli.conftest import CreateSubscription
from tests.support.aws_events import (
    ACCOUNT_ID,
    AGREEMENT_ID,
    CUSTOMER_IDENTIFIER,
    eventbridge_event,
    minutes_after_noon,
    sns_notification,
)
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE

CREATED = "Purchase Agreement Created - Manufacturer"
UPDATED = "License Updated - Manufacturer"
ENDED = "Purchase Agreement Ended - Manufacturer"


def test_events_are_listed_as_they_came_the_last_first_with_what_each_did(
    runner: FlaskCliRunner, app: Flask, create_subscription: CreateSubscription
) -> None:
    subscription_id = create_subscription()
    [first] = apply_events(app, eventbridge_event(UPDATED, minutes_after_noon(5)))
    [second] = apply_events(app, eventbridge_event(CREATED, minutes_after_noon(0)))
    [third] = apply_events(app, sns_notification("subscribe-success", code="unknowncode"))

    result = runner.invoke(args=["events", "list"])

    header, *lines = result.stdout.splitlines()
    assert header.split() == ["id", "happened_at", "kind", "did", "about", "subscription_id"]
    newest, middle, oldest = map(table_cells, lines)
    assert oldest == [
        str(first), "2026-11-02T12:05:00.000Z", "License Updated", "applied: active", AGREEMENT_ID, str(subscription_id)
    ]  # fmt: skip
    assert (middle[0], newest[0]) == (str(second), str(third))
    assert {"Purchase Agreement Created", "noted"} <= set(middle)
    assert {"subscribe-success", "not_ours", CUSTOMER_IDENTIFIER, "-"} <= set(newest)


def test_a_filter_leaves_only_the_events_that_match(app: Flask, runner: FlaskCliRunner) -> None:
    [wanted] = apply_events(app, eventbridge_event(UPDATED))
    apply_events(app, sns_notification("subscribe-success", code=OTHER_PRODUCT_CODE))
    apply_events(app, eventbridge_event(CREATED, agreement="agmt-nobody"))
    subscription_id = show_event(runner, wanted)["subscription_id"]

    for filters in (["--outcome", "applied"], ["--subscription", subscription_id], ["--product", PRODUCT_CODE]):
        (row,) = json.loads(runner.invoke(args=["events", "list", "--json", *filters]).stdout)
        assert (row["id"], row["status_after"]) == (str(wanted), "active")
        assert "body" not in row


def test_an_agreements_event_is_found_by_its_subscriptions_product(app: Flask, runner: FlaskCliRunner) -> None:
    apply_events(app, eventbridge_event(UPDATED))
    [without_a_product] = apply_events(app, eventbridge_event(CREATED, minutes_after_noon(1)))

    result = runner.invoke(args=["events", "list", "--product", PRODUCT_CODE, "--limit", "1"])

    assert result.stdout.splitlines()[1].startswith(str(without_a_product))
    assert "raise --limit" in result.stderr


def test_an_event_is_shown_whole_by_our_id_and_by_aws_id(app: Flask, runner: FlaskCliRunner) -> None:
    body = eventbridge_event(UPDATED, id="7bf73129-1428-4cd3-a780-95db273d1602")
    [event_id] = apply_events(app, body)

    by_ours, by_aws = (show_event(runner, name) for name in (event_id, body["id"]))
    printed = runner.invoke(args=["events", "show", body["id"]]).stdout

    assert by_ours == by_aws
    assert by_ours["body"] == body
    assert (by_ours["id"], by_ours["aws_id"], by_ours["outcome"]) == (str(event_id), body["id"], "applied")
    sheet, pretty, meaning = printed.strip().split("\n\n")
    assert dict(line.split(maxsplit=1) for line in sheet.splitlines())["agreement_id"] == AGREEMENT_ID
    assert json.loads(pretty) == body
    assert pretty.startswith('{\n  "version": "0"')
    assert meaning.startswith("It changed its subscription's status to active.")


def test_what_aws_sent_cannot_steer_the_terminal(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = apply_events(app, eventbridge_event(CREATED, agreement="agmt-\u202eevil", status="\x1b[2J\x9b31m\a"))

    for arguments in (["list"], ["list", "--json"], ["show", str(event_id)], ["show", str(event_id), "--json"]):
        result = runner.invoke(args=["events", *arguments])
        assert "evil" in result.stdout
        assert all(line.isprintable() for line in result.stdout.splitlines())


def test_a_waiting_event_says_for_which_agreement(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = apply_events(app, eventbridge_event(CREATED, agreement="agmt-new", previous="agmt-old"))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert "It waits for agmt-new or agmt-old" in result.stdout
    assert f"events replay {event_id} --subscription ID" in result.stdout


def test_an_ambiguous_event_shows_which_subscriptions_it_may_be_about(
    runner: FlaskCliRunner, app: Flask, create_subscription: CreateSubscription
) -> None:
    bought = create_two_purchases(create_subscription)
    create_subscription(**OLD_LISTING_CUSTOMER | {"customer_identifier": "somebody-else"})
    [event_id] = apply_events(app, sns_notification("unsubscribe-pending"))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert show_event(runner, event_id)["candidates"] == [str(found) for found in bought]
    meaning, header, *rows = result.stdout.rpartition("\n\n")[2].splitlines()
    assert f"events replay {event_id} --subscription ID" in meaning
    assert header.split()[:3] == ["id", "created_at", "status"]
    assert {UUID(row.split()[0]) for row in rows} == set(bought)


def test_an_agreements_ambiguous_event_may_be_about_each_of_its_licenses(app: Flask, runner: FlaskCliRunner) -> None:
    licensed = apply_events(app, *(eventbridge_event(UPDATED, license=f"l-{n}") for n in ("first", "second")))
    [event_id] = apply_events(app, eventbridge_event(ENDED, minutes_after_noon(5)))

    assert show_event(runner, event_id)["outcome"] == "ambiguous"
    assert set(show_event(runner, event_id)["candidates"]) == {
        show_event(runner, one)["subscription_id"] for one in licensed
    }


def test_an_event_about_an_unknown_product_says_what_to_do(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = apply_events(app, sns_notification("subscribe-success", code=OTHER_PRODUCT_CODE))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert f"Its product, {OTHER_PRODUCT_CODE}, is not in the settings" in result.stdout
    assert "events replay --outcome not_ours" in result.stdout


@pytest.mark.parametrize("arguments", [["show"], ["replay"]])
@pytest.mark.parametrize("name", [UNKNOWN_ID, "no-id-of-anybody\x1b"])
def test_an_event_that_there_is_not_is_an_error(runner: FlaskCliRunner, arguments: list[str], name: str) -> None:
    result = runner.invoke(args=["events", *arguments, name])

    assert (result.exit_code, result.stdout) == (1, "")
    assert repr(name) in result.stderr
    assert "flask --app wsgi events list" in result.stderr


def test_an_event_that_names_nobody_is_ambiguous_with_no_candidate(app: Flask, runner: FlaskCliRunner) -> None:
    apply_events(app, eventbridge_event(UPDATED, account=ACCOUNT_ID))
    [event_id] = apply_events(app, eventbridge_event(CREATED, agreement=None))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert "or names none" in result.stdout
    assert show_event(runner, event_id)["candidates"] == []
