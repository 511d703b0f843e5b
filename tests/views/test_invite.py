"""A purchaser who asks a colleague to set up the account: who may, how often, and what they see."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.models import Invitation, OutboxMessage, Subscription
from app.services.signup import invitations
from sandbox.server import Sandbox
from tests import factories
from tests.databases import on_sqlite
from tests.factories import TOKEN
from tests.pages import CheckedClient, csrf_token
from tests.stored import stored
from tests.views.buyers import CREATED, UPDATED, Buyer, words
from tests.views.colleagues import EMAIL, deeds, invite

# tests/services has both databases.
pytestmark = on_sqlite


def test_the_form_has_a_way_for_those_who_do_not_set_it_up_themselves(purchaser: FlaskClient) -> None:
    assert "Somebody else will set this up" in words(purchaser.get("/signup").text)
    assert 'href="/invite"' in purchaser.get("/signup").text


def test_an_invitation_is_kept_recorded_and_shown_with_its_link_to_pass_on(app: Flask, purchaser: FlaskClient) -> None:
    page = invite(purchaser).text

    [invitation] = stored(app, Invitation)
    [subscription] = stored(app, Subscription)
    assert (invitation.email, invitation.subscription_id) == (EMAIL, subscription.id)
    assert timedelta(days=6, hours=23) < invitation.expires_at - datetime.now(UTC) <= timedelta(days=7)
    assert deeds(app) == [("invitation.sent", "buyer")]
    assert "g•••@gmail.com" in page
    assert EMAIL not in page
    [link] = re.findall(r"http://localhost(/invitation/\S+)", page)
    with app.app_context():
        assert invitations.id_of(link.rpartition("/")[2]) == invitation.id
    assert stored(app, OutboxMessage) == []


def test_where_mail_is_on_the_link_is_mailed_and_not_shown(mailing: FlaskClient) -> None:
    page = invite(mailing).text

    [message] = stored(mailing.application, OutboxMessage)
    [invitation] = stored(mailing.application, Invitation)
    assert (message.lane, message.type) == ("mail", "colleague_invited")
    assert message.payload == {"invitation": str(invitation.id)}
    assert message.subscription_id == invitation.subscription_id
    assert "We are mailing the link to g•••@gmail.com" in page
    assert "/invitation/" not in page


def test_the_link_to_pass_on_begins_with_the_site_that_is_set(
    environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    environment.setenv("SITE_URL", "https://start.acme.example")
    with factories.running(create_app()) as app:
        client = app.test_client()
        client.post("/", data={TOKEN: factories.token(sandbox)})

        assert "https://start.acme.example/invitation/" in invite(client).text


def test_the_notice_is_gone_when_the_page_is_loaded_again(purchaser: FlaskClient) -> None:
    assert "The link is made" in invite(purchaser).text

    page = purchaser.get("/invite").text

    assert "The link is made" not in page
    assert "g•••@gmail.com" in page


@pytest.mark.parametrize(
    ("email", "message"),
    [
        ("", "Enter your colleague’s email address."),
        ("grace", "Enter an email address like name@example.com."),
        ("x" * 250 + "@example.com", "Shorten this to 254 characters or fewer."),
    ],
)
def test_an_address_that_is_none_comes_back_with_its_reason(
    app: Flask, purchaser: FlaskClient, email: str, message: str
) -> None:
    response = invite(purchaser, email)

    assert response.status_code == 422
    assert response.text.count(message) == 2
    assert stored(app, Invitation) == []


def test_a_form_that_is_not_ours_invites_nobody(app: Flask, purchaser: FlaskClient) -> None:
    response = purchaser.post("/invite", data={"email": EMAIL})

    assert response.status_code == 422
    assert f'value="{EMAIL}"' in response.text
    assert stored(app, Invitation) == []


def test_twenty_within_a_day_are_enough(purchaser: FlaskClient, clock: time_machine.Traveller) -> None:
    for _ in range(20):
        assert invite(purchaser).status_code == 200
        clock.shift(timedelta(minutes=2))

    refused = invite(purchaser)

    assert refused.status_code == 429
    assert "20 invitations were sent within a day" in refused.text


def test_the_same_address_again_is_the_same_invitation_mailed_again(
    mailing: FlaskClient, clock: time_machine.Traveller
) -> None:
    invite(mailing)
    clock.shift(timedelta(days=1))

    invite(mailing, EMAIL.upper())

    [invitation] = stored(mailing.application, Invitation)
    mails = stored(mailing.application, OutboxMessage)
    assert [mail.payload["invitation"] for mail in mails] == [str(invitation.id)] * 2
    assert invitation.expires_at - datetime.now(UTC) > timedelta(days=6, hours=23)


def test_two_presses_are_one_mail(mailing: FlaskClient, clock: time_machine.Traveller) -> None:
    invite(mailing)
    invite(mailing)

    assert len(stored(mailing.application, Invitation)) == 1
    assert len(stored(mailing.application, OutboxMessage)) == 1
    assert deeds(mailing.application) == [("invitation.sent", "buyer")]


def test_a_browser_without_a_purchase_invites_nobody(app: Flask, client: FlaskClient) -> None:
    answers = [client.get("/invite"), client.post("/invite"), client.post(f"/invite/{uuid4()}/revoke")]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert stored(app, Invitation) == []


def test_while_aws_has_not_told_the_purchase_the_page_says_when_and_what_else_to_do(
    app: Flask, client: FlaskClient, sandbox: Sandbox
) -> None:
    sandbox.world.faults = sandbox.world.faults.model_copy(update={"aws_down": True})
    client.post("/", data={TOKEN: factories.token(sandbox)})

    page = client.get("/invite")
    sent = client.post("/invite", data={"email": EMAIL})
    taken_back = client.post(f"/invite/{uuid4()}/revoke")

    assert page.status_code == 200
    assert "once AWS Marketplace has told us" in page.text
    assert "Copy this for them" in page.text
    assert "<input" not in page.text
    assert {sent.location, taken_back.location} == {"/invite"}
    assert stored(app, Invitation) == []


def test_a_purchase_that_became_part_of_another_invites_for_that_one(client: FlaskClient, sandbox: Sandbox) -> None:
    buyer = Buyer(client, sandbox.world.buy(factories.order()))
    buyer.is_told(UPDATED, agreement="agmt-before", license="l-before")
    client.post("/", data={TOKEN: sandbox.world.mint(buyer.purchase)})
    buyer.is_told(CREATED, previous="agmt-before")

    assert invite(client).status_code == 200

    [subscription] = stored(client.application, Subscription)
    [invitation] = stored(client.application, Invitation)
    assert invitation.subscription_id == subscription.id
    with client.session_transaction() as session:
        assert session["SubscriptionId"] == str(subscription.id)


def test_a_database_that_is_away_offers_to_send_the_same_once_more(
    environment: pytest.MonkeyPatch, purchaser: FlaskClient
) -> None:
    form = {"email": EMAIL, "csrf_token": csrf_token(purchaser.get("/invite").text)}
    cookie = purchaser.get_cookie("session", domain="localhost")
    assert cookie
    environment.setenv("DATABASE_URL", "sqlite:////nowhere/foyer.db")
    with factories.running(create_app()) as app:
        app.test_client_class = CheckedClient
        browser = app.test_client()
        browser.set_cookie("session", cookie.value, domain="localhost")

        sent, seen = browser.post("/invite", data=form), browser.get("/invite")

    assert (sent.status_code, seen.status_code) == (503, 503)
    assert f'name="email" value="{EMAIL}"' in sent.text


def test_no_address_is_logged(purchaser: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    invite(purchaser)
    invite(purchaser, "grace hopper")

    log = capsys.readouterr().err
    assert '"event": "invitation.sent"' in log
    assert "hopper" not in log
    assert "/invitation/" not in log
