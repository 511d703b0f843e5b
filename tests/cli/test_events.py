"""flask events: what AWS has told us, and what became of it."""

import json
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from tests.cli.conftest import Land
from tests.cli.told import NOBODY, OLD, buy_twice, cells, shown, tell
from tests.events import ACCOUNT, AGREEMENT, CUSTOMER, at, eventbridge, sns
from tests.factories import CODE, OTHER_CODE

CREATED = "Purchase Agreement Created - Manufacturer"
UPDATED = "License Updated - Manufacturer"
ENDED = "Purchase Agreement Ended - Manufacturer"


def test_events_are_listed_as_they_came_the_last_first_with_what_each_did(
    runner: FlaskCliRunner, app: Flask, land: Land
) -> None:
    subscription_id = land()
    [first] = tell(app, eventbridge(UPDATED, at(5)))
    [second] = tell(app, eventbridge(CREATED, at(0)))
    [third] = tell(app, sns("subscribe-success", code="unknowncode"))

    result = runner.invoke(args=["events", "list"])

    header, *lines = result.stdout.splitlines()
    assert header.split() == ["id", "happened_at", "kind", "did", "about", "subscription_id"]
    newest, middle, oldest = map(cells, lines)
    assert oldest == [
        str(first), "2026-11-02T12:05:00.000Z", "License Updated", "applied: active", AGREEMENT, str(subscription_id)
    ]  # fmt: skip
    assert (middle[0], newest[0]) == (str(second), str(third))
    assert {"Purchase Agreement Created", "noted"} <= set(middle)
    assert {"subscribe-success", "not_ours", CUSTOMER, "-"} <= set(newest)


def test_a_filter_leaves_only_the_events_that_match(app: Flask, runner: FlaskCliRunner) -> None:
    [wanted] = tell(app, eventbridge(UPDATED))
    tell(app, sns("subscribe-success", code=OTHER_CODE))
    tell(app, eventbridge(CREATED, agreement="agmt-nobody"))
    subscription_id = shown(runner, wanted)["subscription_id"]

    for filters in (["--outcome", "applied"], ["--subscription", subscription_id], ["--product", CODE]):
        (row,) = json.loads(runner.invoke(args=["events", "list", "--json", *filters]).stdout)
        assert (row["id"], row["status_after"]) == (str(wanted), "active")
        assert "body" not in row


def test_an_agreements_event_is_found_by_its_subscriptions_product(app: Flask, runner: FlaskCliRunner) -> None:
    tell(app, eventbridge(UPDATED))
    [without_a_product] = tell(app, eventbridge(CREATED, at(1)))

    result = runner.invoke(args=["events", "list", "--product", CODE, "--limit", "1"])

    assert result.stdout.splitlines()[1].startswith(str(without_a_product))
    assert "raise --limit" in result.stderr


def test_an_event_is_shown_whole_by_our_id_and_by_aws_id(app: Flask, runner: FlaskCliRunner) -> None:
    body = eventbridge(UPDATED, id="7bf73129-1428-4cd3-a780-95db273d1602")
    [event_id] = tell(app, body)

    by_ours, by_aws = (shown(runner, name) for name in (event_id, body["id"]))
    printed = runner.invoke(args=["events", "show", body["id"]]).stdout

    assert by_ours == by_aws
    assert by_ours["body"] == body
    assert (by_ours["id"], by_ours["aws_id"], by_ours["outcome"]) == (str(event_id), body["id"], "applied")
    sheet, pretty, meaning = printed.strip().split("\n\n")
    assert dict(line.split(maxsplit=1) for line in sheet.splitlines())["agreement_id"] == AGREEMENT
    assert json.loads(pretty) == body
    assert pretty.startswith('{\n  "version": "0"')
    assert meaning.startswith("It changed its subscription's status to active.")


def test_what_aws_sent_cannot_steer_the_terminal(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = tell(app, eventbridge(CREATED, agreement="agmt-\u202eevil", status="\x1b[2J\x9b31m\a"))

    for arguments in (["list"], ["list", "--json"], ["show", str(event_id)], ["show", str(event_id), "--json"]):
        result = runner.invoke(args=["events", *arguments])
        assert "evil" in result.stdout
        assert all(line.isprintable() for line in result.stdout.splitlines())


def test_a_waiting_event_says_for_which_agreement(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = tell(app, eventbridge(CREATED, agreement="agmt-new", previous="agmt-old"))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert "It waits for agmt-new or agmt-old" in result.stdout
    assert f"events replay {event_id} --subscription ID" in result.stdout


def test_an_ambiguous_event_shows_which_subscriptions_it_may_be_about(
    runner: FlaskCliRunner, app: Flask, land: Land
) -> None:
    bought = buy_twice(land)
    land(**OLD | {"customer_identifier": "somebody-else"})
    [event_id] = tell(app, sns("unsubscribe-pending"))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert shown(runner, event_id)["candidates"] == [str(found) for found in bought]
    meaning, header, *rows = result.stdout.rpartition("\n\n")[2].splitlines()
    assert f"events replay {event_id} --subscription ID" in meaning
    assert header.split()[:3] == ["id", "created_at", "status"]
    assert {UUID(row.split()[0]) for row in rows} == set(bought)


def test_an_agreements_ambiguous_event_may_be_about_each_of_its_licenses(app: Flask, runner: FlaskCliRunner) -> None:
    licensed = tell(app, *(eventbridge(UPDATED, license=f"l-{n}") for n in ("first", "second")))
    [event_id] = tell(app, eventbridge(ENDED, at(5)))

    assert shown(runner, event_id)["outcome"] == "ambiguous"
    assert set(shown(runner, event_id)["candidates"]) == {shown(runner, one)["subscription_id"] for one in licensed}


def test_an_event_about_an_unknown_product_says_what_to_do(app: Flask, runner: FlaskCliRunner) -> None:
    [event_id] = tell(app, sns("subscribe-success", code=OTHER_CODE))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert f"Its product, {OTHER_CODE}, is not in the settings" in result.stdout
    assert "events replay --outcome not_ours" in result.stdout


@pytest.mark.parametrize("arguments", [["show"], ["replay"]])
@pytest.mark.parametrize("name", [NOBODY, "no-id-of-anybody\x1b"])
def test_an_event_that_there_is_not_is_an_error(runner: FlaskCliRunner, arguments: list[str], name: str) -> None:
    result = runner.invoke(args=["events", *arguments, name])

    assert (result.exit_code, result.stdout) == (1, "")
    assert repr(name) in result.stderr
    assert "flask --app wsgi events list" in result.stderr


def test_an_event_that_names_nobody_is_ambiguous_with_no_candidate(app: Flask, runner: FlaskCliRunner) -> None:
    tell(app, eventbridge(UPDATED, account=ACCOUNT))
    [event_id] = tell(app, eventbridge(CREATED, agreement=None))

    result = runner.invoke(args=["events", "show", str(event_id)])

    assert "or names none" in result.stdout
    assert shown(runner, event_id)["candidates"] == []
