"""flask mails: what was mailed, what became of it, and what is sent again."""

import json
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app import create_app
from app.services.outbox import bounces, queue
from app.services.outbox.bounces import Bounce
from app.services.signup import erasure
from tests.cli.command_output import UNKNOWN_ID
from tests.support import factories
from tests.support.aws_events import NOON
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
    """A subscription with a mail that was refused, and one that waits."""
    its_id = register_customer(app)
    settle_message(app, claim_due(app, queue.MAIL_LANE), "failed", fault="SMTP 550 5.1.1")
    return its_id


def test_mails_are_listed_newest_first_and_say_nothing_of_a_person(
    runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    printed = runner.invoke(args=["mails", "list"]).stdout
    in_json = runner.invoke(args=["mails", "list", "--json"]).stdout

    header, newest, oldest = printed.splitlines()
    assert header.split()[:4] == ["id", "created_at", "type", "outcome"]
    assert newest.split()[2:4] == ["seller_registered", "waiting"]
    assert oldest.split()[2:5] == ["buyer_registered", "failed", "1"]
    assert not [value for value in PERSONAL if value in printed + in_json]
    assert [row["fault"] for row in json.loads(in_json)] == [None, "SMTP 550 5.1.1"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--outcome", "failed"], ["buyer_registered"]),
        (["--outcome", "waiting"], ["seller_registered"]),
        (["--outcome", "delivered"], []),
        (["--limit", "1"], ["seller_registered"]),
    ],
)
def test_a_filter_leaves_only_those_that_match(
    runner: FlaskCliRunner, subscription_id: UUID, filters: list[str], found: list[str]
) -> None:
    result = runner.invoke(args=["mails", "list", "--json", *filters])

    assert [row["type"] for row in json.loads(result.stdout)] == found


def test_those_of_one_subscription_are_asked_for(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    other_id = register_customer(app, {"license_arn": f"{factories.customer().license_arn}2"})

    listed = {
        of_it: {row["subscription_id"] for row in json.loads(result.stdout)}
        for of_it in (str(subscription_id), str(other_id), str(UNKNOWN_ID))
        if (result := runner.invoke(args=["mails", "list", "--json", "--subscription", of_it]))
    }

    assert listed == {
        str(subscription_id): {str(subscription_id)},
        str(other_id): {str(other_id)},
        str(UNKNOWN_ID): set(),
    }


def test_one_is_sent_again_and_what_became_of_it_before_is_forgotten(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    sent = mail_messages(app)[1].id
    settle_message(app, claim_due(app, queue.MAIL_LANE), "delivered", provider_id="of-ses")
    with app.app_context():
        bounces.record(Bounce("of-ses", None, "Email Bounced", "Permanent/General", NOON))

    result = runner.invoke(args=["mails", "retry", str(sent)])

    assert result.output == "The mail goes out again. A worker has to run: flask --app wsgi worker\n"
    message = mail_messages(app)[1]
    assert (message.outcome, message.provider_id, message.bounced_at, message.bounce) == ("waiting", None, None, None)
    assert claim_due(app, queue.MAIL_LANE).id == sent


def test_one_is_not_said_to_go_out_where_no_mail_does(
    app: Flask, environment: pytest.MonkeyPatch, subscription_id: UUID
) -> None:
    failed = mail_messages(app)[0]
    environment.delenv("MAIL_FROM")

    with factories.open_app(create_app()) as later:
        result = later.test_cli_runner().invoke(args=["mails", "retry", str(failed.id)])

    assert result.exit_code == 1
    assert "No mail goes out: set MAIL_FROM" in result.stderr
    assert mail_messages(app)[0].outcome == failed.outcome


def test_one_that_waits_for_its_next_try_has_it_now(app: Flask, runner: FlaskCliRunner, subscription_id: UUID) -> None:
    waiting = mail_messages(app)[1]

    result = runner.invoke(args=["mails", "retry", str(waiting.id)])

    assert result.exit_code == 0
    tried = mail_messages(app)[1].next_try_at
    assert tried
    assert waiting.next_try_at
    assert tried > waiting.next_try_at


def test_one_about_an_erased_person_is_not_sent_again(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID
) -> None:
    settle_message(app, claim_due(app, queue.MAIL_LANE))
    with app.app_context():
        erasure.erase(registration_id_of(app, subscription_id), "operator:alice")

    said = [runner.invoke(args=["mails", "retry", str(mail.id)]).stderr for mail in mail_messages(app)]

    assert ["nobody needs it any more" in each for each in said] == [True, True]
    assert [mail.outcome for mail in mail_messages(app)] == ["failed", "delivered"]


@pytest.mark.parametrize("name", [UNKNOWN_ID, "7", "a hand-off's"])
def test_one_that_is_no_mail_is_named_and_where_to_look(
    app: Flask, runner: FlaskCliRunner, subscription_id: UUID, name: str
) -> None:
    name = str(handoff_messages(app)[0].id) if name == "a hand-off's" else name

    result = runner.invoke(args=["mails", "retry", name])

    assert result.exit_code == 1
    assert f"No mail has the id '{name}'. Look for it with: flask --app wsgi mails list" in result.stderr
