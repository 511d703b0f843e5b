"""Invitations by an invited colleague, and by a page that is still open after the registration."""

import re
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient

from app.models import Invitation
from app.services.signup import invitations
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS
from tests.support.new_buyer import NewBuyer
from tests.support.page_checks import csrf_token
from tests.support.registered_buyer import visible_text
from tests.support.stored_rows import all_rows
from tests.views.colleagues import COLLEAGUE_EMAIL, accept_invitation, audit_actions, submit_invitation

pytestmark = on_sqlite


def colleague_of(app: Flask, purchaser: FlaskClient) -> FlaskClient:
    """Return the browser of a colleague who accepted the purchaser's invitation."""
    submit_invitation(purchaser)
    colleague = app.test_client()
    accept_invitation(colleague, link_of(app, all_rows(app, Invitation)[-1].id))
    return colleague


def link_of(app: Flask, invitation_id: UUID) -> str:
    with app.app_context():
        return invitations.LINK.path_for(invitation_id)


def test_colleagues_invitation_is_audited_as_theirs(app: Flask, purchaser_client: FlaskClient) -> None:
    colleague = colleague_of(app, purchaser_client)
    [invitation] = all_rows(app, Invitation)

    submit_invitation(colleague, "third@gmail.com")

    assert audit_actions(app)[-1] == ("invitation.sent", f"invitation:{invitation.id}")


def test_colleague_sees_only_their_own_invitation(app: Flask, purchaser_client: FlaskClient) -> None:
    colleague = colleague_of(app, purchaser_client)
    submit_invitation(purchaser_client, "second@gmail.com")

    page = submit_invitation(colleague, "third@gmail.com").text

    [link] = re.findall(r"http://localhost(/invitation/[\w-]+)", page)
    assert "Your link is ready" in page
    assert "t•••@gmail.com" in page
    assert "s•••@gmail.com" not in page
    assert ">Revoke<" not in page
    assert "t•••@gmail.com" not in colleague.get("/invite").text
    assert "Set up Acme Insights" in app.test_client().get(link).text


def test_colleague_sees_that_invitation_is_mailed(mail_client: FlaskClient) -> None:
    colleague = colleague_of(mail_client.application, mail_client)

    page = submit_invitation(colleague, "third@gmail.com").text

    assert "We are emailing the link to t•••@gmail.com" in visible_text(page)


def test_open_page_cannot_invite_after_registration(app: Flask, purchaser_client: FlaskClient) -> None:
    form = {"email": COLLEAGUE_EMAIL, "csrf_token": csrf_token(purchaser_client.get("/invite").text)}
    purchaser_client.post("/signup", data={**ANSWERS, "csrf_token": csrf_token(purchaser_client.get("/signup").text)})

    response = purchaser_client.post("/invite", data=form, follow_redirects=True)

    assert response.request.path == "/welcome"
    assert all_rows(app, Invitation) == []


def test_registered_purchase_cannot_invite(new_buyer: NewBuyer) -> None:
    new_buyer.register()

    assert new_buyer.client.get("/invite").headers["Location"] == "/welcome"
