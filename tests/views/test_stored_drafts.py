"""Drafts that do not fit a cookie: stored on the server, encrypted, for a day, and for the same purchase only."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from app import create_app
from app.models import StoredDraft
from app.services.purchases import drafts
from app.services.signup import erasure
from app.worker import loop
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import factories, longest_values
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS
from tests.support.page_checks import CheckedClient, csrf_token
from tests.support.personal_data import remaining_registration_ids, run_transaction
from tests.support.stored_rows import all_rows
from tests.views.question_forms import land
from tests.views.test_draft_cookie import WRONG, draft, lose_session

LONG_NOTES = longest_values.text(2000, longest_values.HAN)
LONG = {**WRONG, "notes": LONG_NOTES}


def send(client: FlaskClient, page: str, answers: dict[str, str]) -> str:
    """Send the form on the page, and return the answer."""
    return client.post("/signup", data={"csrf_token": csrf_token(page), **answers}).text


@pytest.mark.parametrize(
    "notes",
    [
        LONG_NOTES,
        longest_values.text(2000, longest_values.ASTRAL),
        longest_values.text(5000, longest_values.HAN),
        longest_values.text(20_000),
    ],
    ids=["han", "astral", "too many", "much too many"],
)
def test_long_answers_are_prefilled_on_return(
    client: FlaskClient, sandbox: Sandbox, purchase: Purchase, notes: str
) -> None:
    send(client, land(client, sandbox, purchase), {**WRONG, "notes": notes})

    again = land(client, sandbox, purchase)

    assert notes in again
    assert 'value="Ada Lovelace"' in again


@on_sqlite
def test_longest_answers_of_all_fields_are_prefilled(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    asked = ("company", "full_name", "email", "phone", "notes")
    answers = {name: longest_values.ANSWERS[name] for name in asked} | {"email": longest_values.text(254)}
    send(client, land(client, sandbox, purchase), answers)

    again = land(client, sandbox, purchase)

    assert [name for name, value in answers.items() if value not in again] == []


@on_sqlite
def test_long_answers_sent_without_session_are_prefilled(
    client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    page = land(client, sandbox, purchase)
    lose_session(client)

    lost = send(client, page, {**ANSWERS, "notes": LONG_NOTES})

    assert "Your answers are saved in this browser" in lost
    assert LONG_NOTES in land(client, sandbox, purchase)


@on_sqlite
def test_stored_draft_is_not_shown_for_another_purchase(
    client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    send(client, land(client, sandbox, purchase), LONG)

    other_form = land(client, sandbox, sandbox.marketplace.buy(factories.order(account_id="777788889999")))

    assert LONG_NOTES not in other_form
    assert "Ada Lovelace" not in other_form
    assert LONG_NOTES in land(client, sandbox, purchase)


def test_stored_draft_is_encrypted(app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    send(client, land(client, sandbox, purchase), {**LONG, "notes": longest_values.text(9000)})

    [stored] = all_rows(app, StoredDraft)

    assert b"Lovelace" not in stored.sealed
    assert stored.expires_at - stored.stored_at == timedelta(days=1)


@on_sqlite
@pytest.mark.parametrize("answers", [ANSWERS, WRONG], ids=["registered", "shorter"])
def test_stored_draft_is_deleted_once_it_is_not_needed(
    app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase, answers: dict[str, str]
) -> None:
    page = land(client, sandbox, purchase)
    send(client, page, LONG)

    send(client, page, answers)

    assert all_rows(app, StoredDraft) == []


@on_sqlite
def test_draft_sent_again_replaces_the_stored_one(
    app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    page = land(client, sandbox, purchase)
    for notes in (LONG_NOTES, longest_values.text(1900, longest_values.HAN)):
        send(client, page, {**LONG, "notes": notes})

    assert len(all_rows(app, StoredDraft)) == 1
    assert notes in land(client, sandbox, purchase)


def test_one_purchase_cannot_fill_the_table(
    app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    page = land(client, sandbox, purchase)
    for _ in range(drafts.MAX_DRAFTS_OF_PURCHASE + 2):
        client.delete_cookie("draft", domain="localhost")
        send(client, page, LONG)

    assert len(all_rows(app, StoredDraft)) == drafts.MAX_DRAFTS_OF_PURCHASE
    assert LONG_NOTES in land(client, sandbox, purchase)


@on_sqlite
def test_number_of_drafts_is_limited(app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> None:
    now = datetime.now(UTC)
    row = {"sealed": b"x", "stored_at": now, "expires_at": now + drafts.TTL}
    rows = [{"purchase_digest": number.to_bytes(32, "big"), **row} for number in range(drafts.MAX_DRAFTS)]
    run_transaction(app, lambda connection: connection.execute(insert(StoredDraft), rows))
    send(client, land(client, sandbox, purchase), LONG)

    again = land(client, sandbox, purchase)

    assert len(all_rows(app, StoredDraft)) == drafts.MAX_DRAFTS
    assert LONG_NOTES not in again
    assert 'value="Ada Lovelace"' in again


@on_sqlite
def test_database_outage_keeps_what_fits_the_cookie(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    send(client, land(client, sandbox, purchase), LONG)
    stored_draft, page = draft(client), land(client, sandbox, purchase)
    environment.setenv("DATABASE_URL", "sqlite:////nowhere/foyer.db")
    with factories.open_app(create_app()) as app:
        app.test_client_class = CheckedClient
        browser = app.test_client()
        browser.set_cookie("draft", stored_draft or "", domain="localhost")
        during = land(browser, sandbox, purchase)
        lose_session(browser)
        lost = send(browser, page, {**LONG, "notes": longest_values.text(1900, longest_values.HAN)})

    assert 'value="Ada Lovelace"' in during
    assert LONG_NOTES not in during
    assert "Your answers, except your note, are saved in this browser" in lost


def test_draft_expires_and_the_worker_purges_it(
    app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    send(client, land(client, sandbox, purchase), LONG)
    with app.app_context():
        loop.purge()
    assert len(all_rows(app, StoredDraft)) == 1

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=25)), app.app_context():
        shown = drafts.newest()
        loop.purge()

    assert shown == []
    assert all_rows(app, StoredDraft) == []


def test_erased_registration_takes_the_drafts_of_its_purchase_along(
    app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    send(client, land(client, sandbox, purchase), ANSWERS)
    form = client.get("/signup?change").text
    send(client, form, LONG)
    other = app.test_client()
    send(other, land(other, sandbox, sandbox.marketplace.buy(factories.order(account_id="777788889999"))), LONG)
    [registration_id] = remaining_registration_ids(app)
    assert len(all_rows(app, StoredDraft)) == 2

    with app.app_context():
        erasure.erase(registration_id, "operator:alice")

    [kept] = all_rows(app, StoredDraft)
    with app.app_context():
        assert [row["id"] for row in drafts.newest()] == [kept.id]
    assert LONG_NOTES in other.get("/signup").text


@on_sqlite
def test_drafts_of_a_form_from_before_the_token_was_resolved_are_erased(
    app: Flask, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    sandbox.marketplace.change_faults(aws_down=True)
    page = land(client, sandbox, purchase)
    send(client, page, LONG)
    client.delete_cookie("draft", domain="localhost")
    send(client, page, ANSWERS)
    [registration_id] = remaining_registration_ids(app)

    with app.app_context():
        erasure.erase(registration_id, "operator:alice")

    assert all_rows(app, StoredDraft) == []


@on_sqlite
def test_stored_draft_survives_secret_key_rotation(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    send(client, land(client, sandbox, purchase), LONG)
    cookie = draft(client)
    environment.setenv("SECRET_KEY", "the-next-key-0123456789")
    environment.setenv("SECRET_KEY_FALLBACKS", factories.SECRET_KEY)

    with factories.open_app(create_app()) as rotated:
        browser = rotated.test_client()
        browser.set_cookie("draft", cookie or "", domain="localhost")
        page = land(browser, sandbox, purchase)

    assert LONG_NOTES in page
