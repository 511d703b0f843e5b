"""Revoking invitations."""

from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import Invitation, Registration
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows
from tests.views.colleagues import (
    COLLEAGUE_ANSWERS,
    accept_invitation,
    audit_actions,
    create_invitation,
    submit_invitation,
)

pytestmark = on_sqlite


def revoke(client: FlaskClient, invitation_id: UUID) -> TestResponse:
    form = {"csrf_token": csrf_token(client.get("/invite").text)}
    return client.post(f"/invite/{invitation_id}/revoke", data=form, follow_redirects=True)


def test_sixth_open_invitation_requires_a_revocation(app: Flask, purchaser_client: FlaskClient) -> None:
    for number in range(5):
        assert submit_invitation(purchaser_client, f"colleague{number}@gmail.com").status_code == 200

    refused = submit_invitation(purchaser_client, "sixth@gmail.com")
    revoke(purchaser_client, all_rows(app, Invitation)[0].id)
    allowed = submit_invitation(purchaser_client, "sixth@gmail.com")

    assert refused.status_code == 429
    assert "You already have 5 open invitations" in refused.text
    assert 'value="sixth@gmail.com"' in refused.text
    assert allowed.status_code == 200
    assert len(all_rows(app, Invitation)) == 6


def test_revoked_invitation_is_audited_and_unlisted(app: Flask, purchaser_client: FlaskClient) -> None:
    submit_invitation(purchaser_client)
    [invitation] = all_rows(app, Invitation)

    page = revoke(purchaser_client, invitation.id).text

    [revoked] = all_rows(app, Invitation)
    assert revoked.revoked_at
    assert "You revoked the invitation" in page
    assert "Open invitations" not in page
    assert audit_actions(app) == [("invitation.sent", "buyer"), ("invitation.revoked", "buyer")]


def test_revocation_ends_the_colleagues_session(app: Flask, purchaser_client: FlaskClient) -> None:
    invitation_id, link = create_invitation(app)
    colleague = app.test_client()
    accept_invitation(colleague, link)
    cookie = colleague.get_cookie("session", domain="localhost")
    assert colleague.get("/signup").status_code == 200

    page = revoke(purchaser_client, invitation_id).text
    pages = [colleague.get(path).status_code for path in ("/signup", "/welcome", "/enter", "/invite")]
    assert cookie
    colleague.set_cookie("session", cookie.value, domain="localhost")
    replayed = colleague.post("/signup", data=COLLEAGUE_ANSWERS)

    assert "whoever had accepted it is signed out" in page
    assert pages == [403] * 4
    assert replayed.status_code == 403
    assert colleague.get(link).status_code == 410
    assert all_rows(app, Registration) == []


def test_colleague_who_registered_can_be_signed_out(app: Flask, purchaser_client: FlaskClient) -> None:
    invitation_id, link = create_invitation(app)
    colleague = app.test_client()
    accept_invitation(colleague, link)
    colleague.post("/signup", data={**COLLEAGUE_ANSWERS, "csrf_token": csrf_token(colleague.get("/signup").text)})
    welcome, colleagues = purchaser_client.get("/welcome").text, colleague.get("/welcome").text

    page = revoke(purchaser_client, invitation_id).text

    assert "Revoke an invitation" in welcome
    assert "Revoke an invitation" not in colleagues
    assert "You revoked the invitation" in page
    assert colleague.get("/welcome").status_code == 403
    assert [registration.full_name for registration in all_rows(app, Registration)] == ["Grace Hopper"]
    assert purchaser_client.get("/invite").location == "/welcome"
    assert "Revoke an invitation" not in purchaser_client.get("/welcome").text


def test_colleague_cannot_revoke_another(app: Flask, purchaser_client: FlaskClient) -> None:
    first, link = create_invitation(app)
    colleague = app.test_client()
    accept_invitation(colleague, link)

    revoke(colleague, first)

    assert [invitation.revoked_at for invitation in all_rows(app, Invitation)] == [None]
    assert "Accepted invitations" not in colleague.get("/invite").text


def test_other_purchases_invitation_cannot_be_revoked(
    app: Flask, purchaser_client: FlaskClient, sandbox: Sandbox
) -> None:
    submit_invitation(purchaser_client)
    [invitation] = all_rows(app, Invitation)
    other = app.test_client()
    other.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    page = revoke(other, invitation.id).text

    assert "There was nothing to revoke" in page
    assert "g•••@gmail.com" not in page
    assert [invitation.revoked_at for invitation in all_rows(app, Invitation)] == [None]


def test_revoke_without_csrf_token_is_rejected(app: Flask, purchaser_client: FlaskClient) -> None:
    submit_invitation(purchaser_client)
    [invitation] = all_rows(app, Invitation)

    page = purchaser_client.post(f"/invite/{invitation.id}/revoke", follow_redirects=True).text

    assert "Nothing was revoked" in page
    assert [invitation.revoked_at for invitation in all_rows(app, Invitation)] == [None]
