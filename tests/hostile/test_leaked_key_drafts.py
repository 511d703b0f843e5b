"""Drafts and a leaked secret key: what a buyer typed stays, and a thief's draft shows nothing."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models import Registration, StoredDraft
from app.views import draft_cookie
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.hostile.leaked_keys import after_leak, copy_cookies, land
from tests.support import factories, longest_values
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS
from tests.support.page_checks import csrf_token
from tests.support.pending_purchases import register_before_purchase, resolve_pending
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite
WRONG = {**ANSWERS, "email": "not-an-address"}
LONG = {**WRONG, "notes": longest_values.text(2000, longest_values.HAN)}


@pytest.fixture
def purchase(sandbox: Sandbox) -> Purchase:
    return sandbox.marketplace.buy(factories.order())


@pytest.mark.parametrize("answers", [WRONG, LONG])
def test_draft_of_leaked_key_is_kept_for_its_buyer(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox, purchase: Purchase, answers: dict[str, str]
) -> None:
    form = csrf_token(land(client, sandbox, purchase))
    client.post("/signup", data={**answers, "csrf_token": form})

    with after_leak(environment) as rotated:
        page = land(copy_cookies(client, rotated, "draft"), sandbox, purchase)

    assert 'value="Ada Lovelace"' in page
    assert answers["notes"][-20:] in page


def test_what_was_typed_into_an_open_form_survives_its_keys_leak(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    form = csrf_token(land(client, sandbox, purchase))

    with after_leak(environment) as rotated:
        buyer = copy_cookies(client, rotated, "session")
        sent = buyer.post("/signup", data={**ANSWERS, "csrf_token": form})
        page = land(buyer, sandbox, purchase)

        assert sent.status_code == 403
        assert all_rows(rotated, Registration) == []
    assert 'value="Ada Lovelace"' in page


def test_form_of_leaked_key_from_another_page_leaves_no_draft(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    form = csrf_token(land(client, sandbox, purchase))

    with after_leak(environment) as rotated:
        victim = rotated.test_client()
        victim.post("/signup", data={**ANSWERS, "csrf_token": form}, headers={"Sec-Fetch-Site": "cross-site"})
        page = land(victim, sandbox, purchase)

    assert "Ada Lovelace" not in page


def test_forged_draft_shows_nobodys_answers(
    environment: pytest.MonkeyPatch, app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    victims_form = csrf_token(land(client, sandbox, purchase))
    client.post("/signup", data={**LONG, "csrf_token": victims_form})
    _, unlinked = register_before_purchase(app, factories.token(sandbox))
    sandbox.marketplace.change_faults(expired=True)
    assert resolve_pending(app, seconds=5)
    sandbox.marketplace.change_faults(expired=False)
    own = sandbox.marketplace.buy(factories.order())
    thief = app.test_client()
    land(thief, sandbox, own)
    with thief.session_transaction() as session:
        form_secret = session["csrf_token"]
    [stored] = all_rows(app, StoredDraft)
    forged = draft_cookie.Draft(form_secret, {}, (unlinked.registration_id,), stored.id)
    with app.test_request_context():
        cookie = draft_cookie._encrypt(forged)

    with after_leak(environment) as rotated:
        browser = rotated.test_client()
        browser.set_cookie("draft", cookie, domain="localhost")
        page = land(browser, sandbox, own)

    assert "Ada Lovelace" not in page
    assert LONG["notes"] not in page
