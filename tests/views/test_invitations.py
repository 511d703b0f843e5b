"""Inviting a colleague: who can, how often, and what the page shows."""

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
from tests.support import factories
from tests.support.aws_events import AGREEMENT_CREATED, LICENSE_UPDATED
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.registered_buyer import RegisteredBuyer, visible_text
from tests.support.stored_rows import all_rows
from tests.views.colleagues import COLLEAGUE_EMAIL, audit_actions, submit_invitation
from tests.views.outages import browser_without_database

# The tests of the service run on both databases.
pytestmark = on_sqlite


def test_form_links_to_invitations(purchaser_client: FlaskClient) -> None:
    assert "Not the right person? Invite a colleague" in visible_text(purchaser_client.get("/signup").text)
    assert 'href="/invite"' in purchaser_client.get("/signup").text


def test_invitation_is_stored_audited_and_its_link_shown(app: Flask, purchaser_client: FlaskClient) -> None:
    page = submit_invitation(purchaser_client).text

    [invitation] = all_rows(app, Invitation)
    [subscription] = all_rows(app, Subscription)
    assert (invitation.email, invitation.subscription_id) == (COLLEAGUE_EMAIL, subscription.id)
    assert timedelta(days=6, hours=23) < invitation.expires_at - datetime.now(UTC) <= timedelta(days=7)
    assert audit_actions(app) == [("invitation.sent", "buyer")]
    assert "g•••@gmail.com" in page
    assert COLLEAGUE_EMAIL not in page
    [link] = re.findall(r"http://localhost(/invitation/\S+)", page)
    with app.app_context():
        assert invitations.LINK.id_from(link.rpartition("/")[2]) == invitation.id
    assert all_rows(app, OutboxMessage) == []


def test_mailed_link_is_not_shown(mail_client: FlaskClient) -> None:
    page = submit_invitation(mail_client).text

    [message] = all_rows(mail_client.application, OutboxMessage)
    [invitation] = all_rows(mail_client.application, Invitation)
    assert (message.lane, message.type) == ("mail", "colleague_invited")
    assert message.payload == {"invitation": str(invitation.id)}
    assert message.subscription_id == invitation.subscription_id
    assert "We are emailing the link to g•••@gmail.com" in page
    assert "/invitation/" not in page


def test_shown_link_starts_with_site_url(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    environment.setenv("SITE_URL", "https://start.acme.example")
    with factories.open_app(create_app()) as app:
        client = app.test_client()
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

        assert "https://start.acme.example/invitation/" in submit_invitation(client).text


def test_outcome_message_is_shown_once(purchaser_client: FlaskClient) -> None:
    assert "Your link is ready" in submit_invitation(purchaser_client).text

    page = purchaser_client.get("/invite").text

    assert "Your link is ready" not in page
    assert "g•••@gmail.com" in page


@pytest.mark.parametrize(
    ("email", "message"),
    [
        ("", "Enter your colleague’s email address."),
        ("grace", "Enter an email address like name@example.com."),
        ("x" * 250 + "@example.com", "Shorten this to 254 characters or fewer."),
    ],
)
def test_invalid_email_is_rejected_with_reason(
    app: Flask, purchaser_client: FlaskClient, email: str, message: str
) -> None:
    response = submit_invitation(purchaser_client, email)

    assert response.status_code == 422
    assert response.text.count(message) == 2
    assert all_rows(app, Invitation) == []


def test_invitation_without_csrf_token_is_rejected(app: Flask, purchaser_client: FlaskClient) -> None:
    response = purchaser_client.post("/invite", data={"email": COLLEAGUE_EMAIL})

    assert response.status_code == 422
    assert f'value="{COLLEAGUE_EMAIL}"' in response.text
    assert all_rows(app, Invitation) == []


def test_twenty_invitations_a_day_are_the_limit(purchaser_client: FlaskClient, clock: time_machine.Traveller) -> None:
    for _ in range(20):
        assert submit_invitation(purchaser_client).status_code == 200
        clock.shift(timedelta(minutes=2))

    refused = submit_invitation(purchaser_client)

    assert refused.status_code == 429
    assert "20 invitations were sent within a day" in refused.text


def test_same_address_renews_and_remails_the_invitation(
    mail_client: FlaskClient, clock: time_machine.Traveller
) -> None:
    submit_invitation(mail_client)
    clock.shift(timedelta(days=1))

    submit_invitation(mail_client, COLLEAGUE_EMAIL.upper())

    [invitation] = all_rows(mail_client.application, Invitation)
    mails = all_rows(mail_client.application, OutboxMessage)
    assert [mail.payload["invitation"] for mail in mails] == [str(invitation.id)] * 2
    assert invitation.expires_at - datetime.now(UTC) > timedelta(days=6, hours=23)


def test_double_click_sends_one_mail(mail_client: FlaskClient, clock: time_machine.Traveller) -> None:
    submit_invitation(mail_client)
    submit_invitation(mail_client)

    assert len(all_rows(mail_client.application, Invitation)) == 1
    assert len(all_rows(mail_client.application, OutboxMessage)) == 1
    assert audit_actions(mail_client.application) == [("invitation.sent", "buyer")]


def test_browser_without_purchase_cannot_invite(app: Flask, client: FlaskClient) -> None:
    responses = [client.get("/invite"), client.post("/invite"), client.post(f"/invite/{uuid4()}/revoke")]

    assert [response.status_code for response in responses] == [403] * 3
    assert all_rows(app, Invitation) == []


def test_pending_purchase_explains_when_to_invite(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(aws_down=True)
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    page = client.get("/invite")
    sent = client.post("/invite", data={"email": COLLEAGUE_EMAIL})
    revoked = client.post(f"/invite/{uuid4()}/revoke")

    assert page.status_code == 200
    assert "once AWS Marketplace has confirmed" in page.text
    assert "Send them this message" in page.text
    assert "<input" not in page.text
    assert {sent.location, revoked.location} == {"/invite"}
    assert all_rows(app, Invitation) == []


def test_merged_subscription_gets_the_invitation(client: FlaskClient, sandbox: Sandbox) -> None:
    buyer = RegisteredBuyer(client, sandbox.marketplace.buy(factories.order()))
    buyer.receive_event(LICENSE_UPDATED, agreement="agmt-before", license="l-before")
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(buyer.purchase)})
    buyer.receive_event(AGREEMENT_CREATED, previous="agmt-before")

    assert submit_invitation(client).status_code == 200

    [subscription] = all_rows(client.application, Subscription)
    [invitation] = all_rows(client.application, Invitation)
    assert invitation.subscription_id == subscription.id
    with client.session_transaction() as session:
        assert session["SubscriptionId"] == str(subscription.id)


def test_invitation_during_database_outage_offers_retry(
    environment: pytest.MonkeyPatch, purchaser_client: FlaskClient
) -> None:
    form = {"email": COLLEAGUE_EMAIL, "csrf_token": csrf_token(purchaser_client.get("/invite").text)}

    with browser_without_database(environment, purchaser_client) as browser:
        sent, shown = browser.post("/invite", data=form), browser.get("/invite")

    assert (sent.status_code, shown.status_code) == (503, 503)
    assert f'name="email" value="{COLLEAGUE_EMAIL}"' in sent.text


def test_invitee_address_is_never_logged(purchaser_client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    submit_invitation(purchaser_client)
    submit_invitation(purchaser_client, "grace hopper")

    log = capsys.readouterr().err
    assert '"event": "invitation.sent"' in log
    assert "hopper" not in log
    assert "/invitation/" not in log
