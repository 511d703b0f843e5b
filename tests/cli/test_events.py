"""foyer events list and show: the events that AWS sent, and their outcomes."""

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
    list_rows,
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


def test_events_are_listed_with_outcomes_last_received_first(
    runner: FlaskCliRunner, app: Flask, create_subscription: CreateSubscription
) -> None:
    subscription_id = create_subscription()
    [first] = apply_events(app, eventbridge_event(UPDATED, minutes_after_noon(5)))
    [second] = apply_events(app, eventbridge_event(CREATED, minutes_after_noon(0)))
    [third] = apply_events(app, sns_notification("subscribe-success", code="unknowncode"))

    result = runner.invoke(args=["events", "list"])

    header, *lines = result.stdout.splitlines()
    assert header.split() == ["id", "happened_at", "kind", "outcome", "purchase", "subscription_id"]
    newest, middle, oldest = map(table_cells, lines)
    assert oldest == [
        str(first), "2026-11-02T12:05:00.000Z", "License Updated", "applied: active", AGREEMENT_ID, str(subscription_id)
    ]  # fmt: skip
    assert (middle[0], newest[0]) == (str(second), str(third))
    assert {"Purchase Agreement Created", "noted"} <= set(middle)
    assert {"subscribe-success", "not_ours", CUSTOMER_IDENTIFIER, "-"} <= set(newest)


def test_filters_select_matching_events(app: Flask, runner: FlaskCliRunner) -> None:
    [wanted] = apply_events(app, eventbridge_event(UPDATED))
    apply_events(app, sns_notification("subscribe-success", code=OTHER_PRODUCT_CODE))
    apply_events(app, eventbridge_event(CREATED, agreement="agmt-nobody"))
    subscription_id = show_event(runner, wanted)["subscription_id"]

    for filters in (["--outcome", "applied"], ["--subscription", subscription_id], ["--product", PRODUCT_CODE]):
        (row,) = list_rows(runner, "events", *filters)
        assert (row["id"], row["status_after"]) == (str(wanted), "active")
        assert "body" not in row


def test_product_filter_finds_agreement_event_by_its_subscription(app: Flask, runner: FlaskCliRunner) -> None:
    apply_events(app, eventbridge_event(UPDATED))
    [agreement_event] = apply_events(app, eventbridge_event(CREATED, minutes_after_noon(1)))

    result = runner.invoke(args=["events", "list", "--product", PRODUCT_CODE, "--limit", "1"])

    assert result.stdout.splitlines()[1].startswith(str(agreement_event))
    assert "raise --limit" in result.stderr


def test_event_is_shown_whole_by_our_id_or_that_of_aws(app: Flask, runner: FlaskCliRunner) -> None:
    body = eventbridge_event(UPDATED, id="7bf73129-1428-4cd3-a780-95db273d1602")
    [event_id] = apply_events(app, body)

    by_our_id, by_aws_id = (show_event(runner, name) for name in (event_id, body["id"]))
    printed = runner.invoke(args=["events", "show", body["id"]]).stdout

    assert by_our_id == by_aws_id
    assert by_our_id["body"] == body
    assert (by_our_id["id"], by_our_id["aws_id"], by_our_id["outcome"]) == (str(event_id), body["id"], "applied")
    record, pretty_body, meaning = printed.strip().split("\n\n")
    assert dict(line.split(maxsplit=1) for line in record.splitlines())["agreement_id"] == AGREEMENT_ID
    assert json.loads(pretty_body) == body
    assert pretty_body.startswith('{\n  "version": "0"')
    assert meaning.startswith("It changed its subscription's status to active.")


def test_control_characters_from_aws_are_escaped(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = apply_events(app, eventbridge_event(CREATED, agreement="agmt-\u202eevil", status="\x1b[2J\x9b31m\a"))

    for arguments in (["list"], ["list", "--json"], ["show", str(event_id)], ["show", str(event_id), "--json"]):
        result = runner.invoke(args=["events", *arguments])
        assert "evil" in result.stdout
        assert all(line.isprintable() for line in result.stdout.splitlines())


def test_waiting_event_names_the_agreements_it_waits_for(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = apply_events(app, eventbridge_event(CREATED, agreement="agmt-new", previous="agmt-old"))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert "It waits for agmt-new or agmt-old" in result.stdout
    assert f"events replay {event_id} --subscription ID" in result.stdout


def test_ambiguous_event_lists_its_candidate_subscriptions(
    runner: FlaskCliRunner, app: Flask, create_subscription: CreateSubscription
) -> None:
    subscription_ids = create_two_purchases(create_subscription)
    create_subscription(**OLD_LISTING_CUSTOMER | {"customer_identifier": "somebody-else"})
    [event_id] = apply_events(app, sns_notification("unsubscribe-pending"))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert show_event(runner, event_id)["candidates"] == [str(subscription_id) for subscription_id in subscription_ids]
    meaning, header, *rows = result.stdout.rpartition("\n\n")[2].splitlines()
    assert f"events replay {event_id} --subscription ID" in meaning
    assert header.split()[:3] == ["id", "created_at", "status"]
    assert {UUID(row.split()[0]) for row in rows} == set(subscription_ids)


def test_agreements_ambiguous_event_has_each_license_as_candidate(app: Flask, runner: FlaskCliRunner) -> None:
    license_event_ids = apply_events(app, *(eventbridge_event(UPDATED, license=f"l-{n}") for n in ("first", "second")))
    [event_id] = apply_events(app, eventbridge_event(ENDED, minutes_after_noon(5)))

    assert show_event(runner, event_id)["outcome"] == "ambiguous"
    assert set(show_event(runner, event_id)["candidates"]) == {
        show_event(runner, license_event_id)["subscription_id"] for license_event_id in license_event_ids
    }


def test_event_of_an_unknown_product_explains_what_to_do(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = apply_events(app, sns_notification("subscribe-success", code=OTHER_PRODUCT_CODE))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert f"Its product, {OTHER_PRODUCT_CODE}, is not in the settings" in result.stdout
    assert "events replay --outcome not_ours" in result.stdout


@pytest.mark.parametrize("arguments", [["show"], ["replay"]])
@pytest.mark.parametrize("name", [UNKNOWN_ID, "no-id-of-anybody\x1b"])
def test_unknown_event_id_fails_and_points_to_the_list(runner: FlaskCliRunner, arguments: list[str], name: str) -> None:
    result = runner.invoke(args=["events", *arguments, name])

    assert (result.exit_code, result.stdout) == (1, "")
    assert repr(name) in result.stderr
    assert "foyer events list" in result.stderr


def test_event_without_ids_is_ambiguous_without_candidates(app: Flask, runner: FlaskCliRunner) -> None:
    apply_events(app, eventbridge_event(UPDATED, account=ACCOUNT_ID))
    [event_id] = apply_events(app, eventbridge_event(CREATED, agreement=None))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert "or names none" in result.stdout
    assert show_event(runner, event_id)["candidates"] == []
