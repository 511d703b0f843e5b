"""A colleague who was invited and asks another, and a page of invitations that is open for longer than it is needed."""

import re
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient

from app.models import Invitation
from app.services.signup import invitations
from tests.databases import on_sqlite
from tests.factories import ANSWERS
from tests.pages import csrf_token
from tests.stored import stored
from tests.views.buyers import words
from tests.views.colleagues import EMAIL, deeds, invite, press

pytestmark = on_sqlite


def colleague_of(app: Flask, purchaser: FlaskClient) -> FlaskClient:
    """Return the browser of a colleague whom the purchaser has invited, and who has come."""
    invite(purchaser)
    colleague = app.test_client()
    press(colleague, link_of(app, stored(app, Invitation)[-1].id))
    return colleague


def link_of(app: Flask, invitation_id: UUID) -> str:
    with app.app_context():
        return invitations.link(invitation_id)


def test_a_colleague_who_invites_another_is_named_as_one(app: Flask, purchaser: FlaskClient) -> None:
    colleague = colleague_of(app, purchaser)
    [invitation] = stored(app, Invitation)

    invite(colleague, "third@gmail.com")

    assert deeds(app)[-1] == ("invitation.sent", f"invitation:{invitation.id}")


def test_a_colleague_who_invites_another_gets_the_link_to_pass_on_and_sees_nobody_elses(
    app: Flask, purchaser: FlaskClient
) -> None:
    colleague = colleague_of(app, purchaser)
    invite(purchaser, "second@gmail.com")

    page = invite(colleague, "third@gmail.com").text

    [link] = re.findall(r"http://localhost(/invitation/[\w-]+)", page)
    assert "The link is made" in page
    assert "t•••@gmail.com" in page
    assert "s•••@gmail.com" not in page
    assert ">Revoke<" not in page
    assert "t•••@gmail.com" not in colleague.get("/invite").text
    assert "Set up Acme Insights" in app.test_client().get(link).text


def test_a_colleague_who_invites_another_by_mail_hears_that_it_goes_out(mailing: FlaskClient) -> None:
    colleague = colleague_of(mailing.application, mailing)

    page = invite(colleague, "third@gmail.com").text

    assert "We are mailing the link to t•••@gmail.com" in words(page)


def test_once_somebody_has_registered_a_page_that_is_still_open_invites_nobody(
    app: Flask, purchaser: FlaskClient
) -> None:
    form = {"email": EMAIL, "csrf_token": csrf_token(purchaser.get("/invite").text)}
    purchaser.post("/signup", data={**ANSWERS, "csrf_token": csrf_token(purchaser.get("/signup").text)})

    answer = purchaser.post("/invite", data=form, follow_redirects=True)

    assert answer.request.path == "/welcome"
    assert stored(app, Invitation) == []
