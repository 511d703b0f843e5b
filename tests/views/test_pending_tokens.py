"""Pending tokens: AWS does not resolve a token in time, and the buyer can register all the same."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete

from app.database import transactions
from app.models import PendingToken, Registration
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.pending_purchases import resolve_pending
from tests.support.stored_rows import all_rows
from tests.views.outages import register


@on_sqlite
@pytest.mark.parametrize("fault", [{"aws_down": True}, {"throttled": 100}, {"slow": 60}])
def test_aws_outage_leads_to_the_form(client: FlaskClient, sandbox: Sandbox, fault: dict[str, object]) -> None:
    token = factories.token(sandbox)
    sandbox.marketplace.change_faults(**fault)

    response = client.post("/", data={TOKEN_FIELD: token})

    sandbox.marketplace.change_faults(slow=0)
    assert (response.status_code, response.location) == (303, "/signup")
    page = client.get("/signup").text
    assert "AWS Marketplace is slow to respond" in page
    assert "we will link your registration" in page


@on_sqlite
def test_pending_token_is_encrypted_and_in_no_cookie(app: Flask, client: FlaskClient, token_during_outage: str) -> None:
    response = client.post("/", data={TOKEN_FIELD: token_during_outage})

    [pending] = all_rows(app, PendingToken)
    assert pending.sealed
    assert token_during_outage.encode() not in pending.sealed
    assert token_during_outage not in str(response.headers)
    with client.session_transaction() as session:
        assert token_during_outage not in repr(dict(session))


def test_double_click_stores_one_token_and_registration(
    app: Flask, client: FlaskClient, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    register(client)
    client.post("/", data={TOKEN_FIELD: token_during_outage})

    assert client.get("/signup").location == "/welcome"
    assert len(all_rows(app, PendingToken)) == len(all_rows(app, Registration)) == 1


@on_sqlite
@pytest.mark.parametrize("fault", ["invalid", "expired", "other_product", "access_denied", "credentials_expired"])
def test_refused_token_is_not_stored(app: Flask, client: FlaskClient, sandbox: Sandbox, fault: str) -> None:
    token = factories.token(sandbox)
    sandbox.marketplace.change_faults(**{fault: True})

    response = client.post("/", data={TOKEN_FIELD: token})

    assert response.status_code >= 400
    assert all_rows(app, PendingToken) == []


@on_sqlite
def test_oversized_token_is_not_stored(app: Flask, client: FlaskClient, token_during_outage: str) -> None:
    response = client.post("/", data={TOKEN_FIELD: token_during_outage * 30})

    assert response.status_code == 503
    assert "Try again</button>" in response.text
    assert all_rows(app, PendingToken) == []


@on_sqlite
def test_token_refused_by_worker_fails_at_next_landing(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    sandbox.marketplace.change_faults(aws_down=False, expired=True)
    resolve_pending(app, seconds=5)
    sandbox.marketplace.change_faults(aws_down=True, expired=False)

    response = client.post("/", data={TOKEN_FIELD: token_during_outage})

    assert response.status_code == 400
    assert "This link has expired" in response.text


@on_sqlite
def test_deleted_token_offers_new_start_and_keeps_draft(
    app: Flask, client: FlaskClient, token_during_outage: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    form = {"csrf_token": csrf_token(client.get("/signup").text), **ANSWERS}
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.execute(delete(PendingToken))

    page = client.post("/signup", data=form)

    assert page.status_code == 403
    assert "Set up your account" in page.text
    assert "Your answers are saved in this browser" in page.text


@on_sqlite
@pytest.mark.parametrize(
    ("fault", "words"), [("expired", "This link has expired"), ("invalid", "This link no longer works")]
)
def test_form_of_dead_token_shows_its_error(
    app: Flask, client: FlaskClient, sandbox: Sandbox, token_during_outage: str, fault: str, words: str
) -> None:
    client.post("/", data={TOKEN_FIELD: token_during_outage})
    sandbox.marketplace.change_faults(aws_down=False, **{fault: True})
    resolve_pending(app, seconds=5)

    page = client.get("/signup")

    assert page.status_code == 400
    assert words in page.text
