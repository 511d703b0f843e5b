"""The links of invitations: which work, until when, and what they reveal."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.models import Invitation
from app.services.signup import invitations
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.page_checks import CheckedClient, csrf_token
from tests.support.stored_rows import all_rows
from tests.views.colleagues import accept_invitation

pytestmark = on_sqlite


def test_used_link_shows_next_steps(colleague_client: FlaskClient, app: Flask, invitation_link: str) -> None:
    accept_invitation(app.test_client(), invitation_link)

    responses = [colleague_client.get(invitation_link), colleague_client.post(invitation_link)]

    assert [response.status_code for response in responses] == [410, 410]
    for response in responses:
        assert "This invitation cannot be used" in response.text
        assert "Send them this message" in response.text
        assert "help@acme.example" in response.text


def test_revoked_link_is_refused(app: Flask, colleague_client: FlaskClient, invitation_link: str) -> None:
    form = {"csrf_token": csrf_token(colleague_client.get(invitation_link).text)}
    with app.app_context():
        assert invitations.revoke(all_rows(app, Invitation)[0].id, "buyer")

    responses = [colleague_client.post(invitation_link, data=form), colleague_client.get(invitation_link)]

    assert [response.status_code for response in responses] == [410, 410]
    assert colleague_client.get("/signup").status_code == 403


def test_invitation_link_expires_after_seven_days(
    app: Flask, colleague_client: FlaskClient, invitation_link: str
) -> None:
    [invitation] = all_rows(app, Invitation)

    with time_machine.travel(invitation.expires_at - timedelta(minutes=1)):
        in_time = colleague_client.get(invitation_link).status_code
        form = {"csrf_token": csrf_token(colleague_client.get(invitation_link).text)}
    with time_machine.travel(invitation.expires_at + timedelta(seconds=1)):
        too_late = [
            colleague_client.get(invitation_link).status_code,
            colleague_client.post(invitation_link, data=form).status_code,
        ]

    assert invitation.expires_at - datetime.now(UTC) > timedelta(days=6, hours=23)
    assert (in_time, too_late) == (200, [410, 410])


def test_altered_or_guessed_link_is_not_found(app: Flask, colleague_client: FlaskClient, invitation_link: str) -> None:
    [invitation] = all_rows(app, Invitation)
    wrong = [invitation_link[:-4] + "AAAA", "/invitation/made-up", "/invitation/%00", "/invitation/%ff"]
    wrong += [f"/invitation/{invitation.id}", f"/invitation/{uuid4()}"]

    for path in wrong:
        assert colleague_client.get(path).status_code == 404, path
        assert colleague_client.post(path).status_code == 404, path
    assert "This invitation cannot be used" in colleague_client.get(wrong[0]).text


def test_invitation_link_is_opaque(invitation_link: str) -> None:
    assert re.fullmatch(r"/invitation/[A-Za-z0-9_-]+", invitation_link)


def test_invitation_link_survives_secret_key_rotation(
    environment: pytest.MonkeyPatch, colleague_client: FlaskClient, invitation_link: str
) -> None:
    environment.setenv("SECRET_KEY", "the-next-secret-key-of-this-seller")
    environment.setenv("SECRET_KEY_FALLBACKS", factories.SECRET_KEY)

    with factories.open_app(create_app()) as app:
        assert accept_invitation(app.test_client(), invitation_link).location == "/signup"


def test_link_of_removed_product_shows_unknown_product(
    environment: pytest.MonkeyPatch, colleague_client: FlaskClient, invitation_link: str
) -> None:
    environment.setenv("PRODUCT_CODE", factories.OTHER_PRODUCT_CODE)

    with factories.open_app(create_app()) as app:
        page = app.test_client().get(invitation_link)

    assert page.status_code == 404
    assert "We do not set up this product here" in page.text


def test_invitation_link_during_database_outage_refreshes(
    environment: pytest.MonkeyPatch, colleague_client: FlaskClient, invitation_link: str
) -> None:
    environment.setenv("DATABASE_URL", "sqlite:////nowhere/foyer.db")

    with factories.open_app(create_app()) as app:
        app.test_client_class = CheckedClient
        page = app.test_client().get(invitation_link)

    assert page.status_code == 503
    assert page.headers["Refresh"]


def test_invitation_link_is_never_logged(
    colleague_client: FlaskClient, invitation_link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    accept_invitation(colleague_client, invitation_link)
    colleague_client.get(invitation_link[:-4] + "AAAA")

    log = capsys.readouterr().err
    assert '"event": "invitation.accepted"' in log
    assert invitation_link.rpartition("/")[2][:20] not in log
