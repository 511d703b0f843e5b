"""A purchaser invites a colleague and the colleague accepts, for tests of both."""

from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import AuditEntry, Subscription
from app.services.signup import invitations
from app.services.signup.invitations import Refusal
from tests.support.factories import ANSWERS
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows

COLLEAGUE_EMAIL = "grace.hopper@gmail.com"
COLLEAGUE_ANSWERS = {**ANSWERS, "full_name": "Grace Hopper", "email": COLLEAGUE_EMAIL}


def submit_invitation(client: FlaskClient, email: str = COLLEAGUE_EMAIL) -> TestResponse:
    """Submit the purchaser's form, and return the page it redirects to."""
    form = {"email": email, "csrf_token": csrf_token(client.get("/invite").text)}
    return client.post("/invite", data=form, follow_redirects=True)


def create_invitation(app: Flask, subscription_id: UUID | None = None) -> tuple[UUID, str]:
    """Invite a colleague to that subscription, or to the only one; return the invitation's id and link."""
    with app.app_context():
        invitation = invitations.invite(subscription_id or all_rows(app, Subscription)[0].id, COLLEAGUE_EMAIL, "buyer")
        assert not isinstance(invitation, Refusal)
        return invitation.id, invitations.LINK.path_for(invitation.id)


def accept_invitation(client: FlaskClient, link: str) -> TestResponse:
    """Press the button on the invitation's page."""
    return client.post(link, data={"csrf_token": csrf_token(client.get(link).text)})


def audit_actions(app: Flask) -> list[tuple[str, str]]:
    """Return action and actor of each audit entry."""
    return [(entry.action, entry.actor) for entry in all_rows(app, AuditEntry)]
