"""foyer mails list and retry."""

import json
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app import create_app
from app.services.outbox import bounces, queue
from app.services.outbox.bounces import Bounce
from app.services.signup import erasure, invitations
from tests.cli.command_output import UNKNOWN_ID, list_rows
from tests.support import factories
from tests.support.aws_events import NOON
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import (
    SITE_URL,
    claim_due,
    handoff_messages,
    mail_messages,
    register_customer,
    registration_id_of,
    settle_message,
)

pytestmark = on_sqlite
PERSONAL = [value.partition("\n")[0] for value in factories.ANSWERS.values()]


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("SITE_URL", SITE_URL)
    return factories.enable_handoffs_and_mail(environment)


@pytest.fixture
def subscription_id(app: Flask) -> UUID:
    """A subscription with a mail that failed, and one that waits."""
    registered_id = register_customer(app)
    settle_message(app, claim_due(app, queue.MAIL_LANE), "failed", fault="SMTP 550 5.1.1")
    return registered_id


def test_mails_are_listed_newest_first_without_personal_data(runner: FlaskCliRunner, subscription_id: UUID) -> None:
    printed = runner.invoke(args=["mails", "list"]).stdout
    in_json = runner.invoke(args=["mails", "list", "--json"]).stdout

    header, newest, oldest = printed.splitlines()
    assert header.split()[:4] == ["id", "created_at", "type", "outcome"]
    assert newest.split()[2:4] == ["seller_registered", "waiting"]
    assert oldest.split()[2:5] == ["buyer_registered", "failed", "1"]
    assert not [value for value in PERSONAL if value in printed + in_json]
    assert [row["fault"] for row in json.loads(in_json)] == [None, "SMTP 550 5.1.1"]


@pytest.mark.parametrize(
    ("filters", "types"),
    [
        (["--outcome", "failed"], ["buyer_registered"]),
        (["--outcome", "waiting"], ["seller_registered"]),
        (["--outcome", "delivered"], []),
        (["--limit", "1"], ["seller_registered"]),
    ],
)
def test_filters_select_matching_mails(
    runner: FlaskCliRunner, subscription_id: UUID, filters: list[str], types: list[str]
) -> None:
    assert [row["type"] for row in list_rows(runner, "mails", *filters)] == types


def test_subscription_filter_selects_its_mails(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    other_id = register_customer(app, {"license_arn": f"{factories.customer().license_arn}2"})

    subscription_ids = {
        wanted_id: {row["subscription_id"] for row in list_rows(runner, "mails", "--subscription", wanted_id)}
        for wanted_id in (str(subscription_id), str(other_id), UNKNOWN_ID)
    }

    assert subscription_ids == {
        str(subscription_id): {str(subscription_id)},
        str(other_id): {str(other_id)},
        UNKNOWN_ID: set(),
    }


def test_resent_mail_clears_its_earlier_outcome_and_bounce(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    mail_id = mail_messages(app)[1].id
    settle_message(app, claim_due(app, queue.MAIL_LANE), "delivered", provider_id="of-ses")
    event = {"source": "aws.ses", "detail-type": "Email Bounced", "detail": {"mail": {"messageId": "of-ses"}}}
    with app.app_context():
        assert bounces.record(Bounce.model_validate({**event, "time": NOON}))

    result = runner.invoke(args=["mails", "retry", str(mail_id)])

    assert result.output == "Mails to be sent again: 1. A worker has to be running: foyer worker\n"
    message = mail_messages(app)[1]
    assert (message.outcome, message.provider_id, message.bounced_at, message.bounce) == ("waiting", None, None, None)
    assert claim_due(app, queue.MAIL_LANE).id == mail_id


@pytest.mark.parametrize(("passed", "since", "count"), [({"hours": 1}, "24h", 2), ({"hours": 25}, "24h", 0)])
def test_mails_given_up_lately_are_resent_together(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, passed: dict[str, int], since: str, count: int
) -> None:
    settle_message(app, claim_due(app, queue.MAIL_LANE), "failed", fault="SMTP 550 5.7.60")

    with time_passes(**passed):
        result = runner.invoke(args=["mails", "retry", "--failed-since", since])

    assert (result.exit_code, result.output.partition(".")[0]) == (0, f"Mails to be sent again: {count}")
    assert [mail.outcome for mail in mail_messages(app)].count("waiting") == count


@pytest.mark.parametrize("arguments", [[], [str(UNKNOWN_ID), "--failed-since", "24h"], ["--failed-since", "soon"]])
def test_retry_without_one_choice_is_a_usage_error(runner: FlaskCliRunner, arguments: list[str]) -> None:
    assert runner.invoke(args=["mails", "retry", *arguments]).exit_code == 2


def test_retry_fails_while_mail_is_not_set_up(
    app: Flask, environment: pytest.MonkeyPatch, subscription_id: UUID
) -> None:
    failed = mail_messages(app)[0]
    environment.delenv("MAIL_FROM")

    with factories.open_app(create_app()) as restarted:
        result = restarted.test_cli_runner().invoke(args=["mails", "retry", str(failed.id)])

    assert result.exit_code == 1
    assert "Foyer sends no mail: set MAIL_FROM" in result.stderr
    assert mail_messages(app)[0].outcome == failed.outcome


def test_mail_waiting_for_its_next_try_is_sent_now(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    waiting = mail_messages(app)[1]

    result = runner.invoke(args=["mails", "retry", str(waiting.id)])

    assert result.exit_code == 0
    next_try_at = mail_messages(app)[1].next_try_at
    assert next_try_at
    assert waiting.next_try_at
    assert next_try_at > waiting.next_try_at


def test_mail_about_an_erased_person_is_not_resent(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    settle_message(app, claim_due(app, queue.MAIL_LANE))
    with app.app_context():
        erasure.erase(registration_id_of(app, subscription_id), "operator:alice")

    errors = [runner.invoke(args=["mails", "retry", str(mail.id)]).stderr for mail in mail_messages(app)]

    assert ["it is no longer needed" in error for error in errors] == [True, True]
    assert [mail.outcome for mail in mail_messages(app)] == ["failed", "delivered"]


@pytest.mark.parametrize("name", [UNKNOWN_ID, "7", "a hand-off's"])
def test_id_of_no_mail_fails_and_points_to_the_list(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, name: str
) -> None:
    name = str(handoff_messages(app)[0].id) if name == "a hand-off's" else name

    result = runner.invoke(args=["mails", "retry", name])

    assert result.exit_code == 1
    assert f"No mail has the id '{name}'. Find it with: foyer mails list" in result.stderr


def test_mails_to_an_address_are_listed(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    register_customer(app, {"license_arn": f"{factories.customer().license_arn}2"}, email="marie@example.com")
    with app.app_context():
        invitations.invite(subscription_id, "colleague@example.com", "buyer")

    def types(address: str) -> list[str]:
        return [row["type"] for row in list_rows(runner, "mails", "--email", address)]

    assert types("ADA@gmail.com") == ["buyer_registered"]
    assert types("colleague@example.com") == ["colleague_invited"]
    assert types(factories.PRODUCT_FIELDS["support_email"]) == ["seller_registered"] * 2
    assert types("nobody@example.com") == []


def test_mails_that_came_back_are_listed(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    settle_message(app, claim_due(app, queue.MAIL_LANE), "delivered", provider_id="of-ses")
    event = {"source": "aws.ses", "detail-type": "Email Bounced", "detail": {"mail": {"messageId": "of-ses"}}}
    with app.app_context():
        assert bounces.record(Bounce.model_validate({**event, "time": NOON}))

    assert [row["type"] for row in list_rows(runner, "mails", "--bounced")] == ["seller_registered"]
