"""A purchaser who asks a colleague to set up the account, the colleague, and what is recorded of both."""

from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import AuditEntry, Subscription
from app.services.signup import invitations
from app.services.signup.invitations import Refused
from tests.factories import ANSWERS
from tests.pages import csrf_token
from tests.stored import stored

EMAIL = "grace.hopper@gmail.com"
GRACE = {**ANSWERS, "full_name": "Grace Hopper", "email": EMAIL}


def invite(client: FlaskClient, email: str = EMAIL) -> TestResponse:
    """Send the purchaser's form, and return the page that comes of it."""
    form = {"email": email, "csrf_token": csrf_token(client.get("/invite").text)}
    return client.post("/invite", data=form, follow_redirects=True)


def invited(app: Flask, subscription_id: UUID | None = None) -> tuple[UUID, str]:
    """Invite a colleague to the subscription, the only one where none is given; return the invitation's id and link."""
    with app.app_context():
        made = invitations.invite(subscription_id or stored(app, Subscription)[0].id, EMAIL, "buyer")
        assert not isinstance(made, Refused)
        return made.id, invitations.link(made.id)


def press(browser: FlaskClient, link: str) -> TestResponse:
    """Press the button on the page behind the link."""
    return browser.post(link, data={"csrf_token": csrf_token(browser.get(link).text)})


def deeds(app: Flask) -> list[tuple[str, str]]:
    """Return what the audit has: what was done, and by whom."""
    return [(entry.action, entry.actor) for entry in stored(app, AuditEntry)]
