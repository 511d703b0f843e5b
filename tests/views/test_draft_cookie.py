"""The draft cookie: answers that were not stored are prefilled on return, for the same purchase only."""

import json
import zlib
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.security import encryption
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import CheckedClient, csrf_token
from tests.views.question_forms import land

pytestmark = on_sqlite

WRONG = {**ANSWERS, "email": "not-an-email"}


def lose_session(client: FlaskClient) -> None:
    client.delete_cookie("session", domain="localhost")


def draft(client: FlaskClient) -> str | None:
    cookie = client.get_cookie("draft", domain="localhost")
    return cookie.value if cookie else None


def test_invalid_answers_are_prefilled_on_return(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    page = land(client, sandbox, purchase)
    client.post("/signup", data={"csrf_token": csrf_token(page), **WRONG})

    again = land(client, sandbox, purchase)

    assert 'value="Ada Lovelace"' in again
    assert 'value="not-an-email"' in again
    assert "We saved your earlier answers" in again


def test_answers_sent_without_session_are_prefilled_on_return(
    client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    form = {"csrf_token": csrf_token(land(client, sandbox, purchase)), **ANSWERS}
    lose_session(client)

    lost = client.post("/signup", data=form)

    assert lost.status_code == 403
    assert "Your answers are saved in this browser" in lost.text
    assert 'value="Ada Lovelace"' in land(client, sandbox, purchase)


def test_draft_is_not_shown_for_another_purchase(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    page = land(client, sandbox, purchase)
    client.post("/signup", data={"csrf_token": csrf_token(page), **WRONG})

    other_form = land(client, sandbox, sandbox.marketplace.buy(factories.order(account_id="777788889999")))

    assert "Ada Lovelace" not in other_form
    assert "Juniper" not in other_form
    assert 'value="Ada Lovelace"' in land(client, sandbox, purchase)


def test_foreign_page_cannot_set_a_draft(app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    planted_form = {**ANSWERS, "company": "Planted"}
    attackers_token = csrf_token(land(app.test_client(), sandbox, purchase))
    own_token = csrf_token(land(client, sandbox, purchase))
    client.post("/signup", data={"csrf_token": own_token, **WRONG})

    client.post("/signup", data=planted_form)
    client.post("/signup", data={**planted_form, "csrf_token": "made-up"})
    lose_session(client)
    client.post(
        "/signup", data={**planted_form, "csrf_token": attackers_token}, headers={"Sec-Fetch-Site": "cross-site"}
    )

    page = land(client, sandbox, purchase)
    assert "Planted" not in page
    assert 'value="Ada Lovelace"' in page


def test_draft_cookie_is_encrypted_and_http_only(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    page = land(client, sandbox, purchase)

    response = client.post("/signup", data={"csrf_token": csrf_token(page), **WRONG})

    [cookie] = [cookie for cookie in response.headers.getlist("Set-Cookie") if cookie.startswith("draft=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Max-Age=86400" in cookie
    assert "Lovelace" not in cookie
    assert len(cookie) < 4096


def test_draft_cookie_has_host_prefix_under_tls(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, purchase: Purchase
) -> None:
    environment.delenv("SESSION_COOKIE_SECURE")
    with factories.open_app(create_app()) as app:
        buyer = app.test_client()
        secure = {"base_url": "https://localhost"}
        buyer.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)}, **secure)
        token = csrf_token(buyer.get("/signup", **secure).text)

        response = buyer.post("/signup", data={"csrf_token": token, **WRONG}, **secure)

    [cookie] = [cookie for cookie in response.headers.getlist("Set-Cookie") if "draft=" in cookie]
    assert cookie.startswith("__Host-draft=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_stored_registration_clears_the_draft(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    page = land(client, sandbox, purchase)
    client.post("/signup", data={"csrf_token": csrf_token(page), **WRONG})
    assert draft(client)

    client.post("/signup", data={"csrf_token": csrf_token(page), **ANSWERS})

    assert not draft(client)


def test_forged_draft_is_ignored(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    client.set_cookie("draft", "gAAAAA-made-up", domain="localhost")

    page = land(client, sandbox, purchase)

    assert "We saved your earlier answers" not in page


@pytest.mark.parametrize(
    "changed",
    [
        {"form_secret": 1},
        {"typed": ["company"]},
        {"typed": {"company": 1}},
        {"unlinked_ids": None},
        {"unlinked_ids": [1]},
        {"unlinked_ids": ["1"]},
        {"stored_id": "1"},
    ],
)
def test_draft_of_another_shape_is_ignored(
    app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase, changed: dict[str, object]
) -> None:
    content = {"form_secret": None, "typed": {}, "unlinked_ids": [], "stored_id": None, **changed}
    for plaintext in (
        b"",
        zlib.compress(b"["),
        zlib.compress(b"[" * 100_000),
        zlib.compress(json.dumps(content).encode()),
    ):
        with app.app_context():
            ciphertext = encryption.cipher(encryption.DRAFT).encrypt(plaintext).decode()
        client.set_cookie("draft", ciphertext, domain="localhost")

        assert "We saved your earlier answers" not in land(client, sandbox, purchase)


def test_draft_survives_secret_key_rotation(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    page = land(client, sandbox, purchase)
    client.post("/signup", data={"csrf_token": csrf_token(page), **WRONG})
    cookies = {name: client.get_cookie(name, domain="localhost") for name in ("draft", "session")}
    environment.setenv("SECRET_KEY", "the-next-key-0123456789")
    environment.setenv("SECRET_KEY_FALLBACKS", factories.SECRET_KEY)

    with factories.open_app(create_app()) as rotated:
        rotated.test_client_class = CheckedClient
        browser = rotated.test_client()
        for name, cookie in cookies.items():
            assert cookie
            browser.set_cookie(name, cookie.value, domain="localhost")
        same_session = browser.get("/signup").text
        next_visit = land(browser, sandbox, purchase)

    assert 'value="Ada Lovelace"' in same_session
    assert 'value="Ada Lovelace"' in next_visit


def test_draft_expires_after_a_day(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    page = land(client, sandbox, purchase)
    client.post("/signup", data={"csrf_token": csrf_token(page), **WRONG})
    cookie = draft(client)
    assert cookie

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=25)):
        client.set_cookie("draft", cookie, domain="localhost")
        later = land(client, sandbox, purchase)

    assert "Ada Lovelace" not in later
