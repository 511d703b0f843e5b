"""The sign-up form: what it shows, which answers it accepts, and one registration per purchase."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.database import transactions
from app.models import Registration
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import ANSWERS, PRODUCT_CODE, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows
from tests.views.outages import browser_without_database


def send(client: FlaskClient, **answers: str) -> tuple[int, str]:
    form = {**ANSWERS, **answers, "csrf_token": csrf_token(client.get("/signup").text)}
    response = client.post("/signup", data=form)
    return response.status_code, response.text


def test_form_shows_purchase_with_masked_account(buyer_client: FlaskClient) -> None:
    page = buyer_client.get("/signup").text

    assert "Register for Acme Insights" in page
    assert "•••• •••• 8901" in page
    assert "012345678901" not in page
    assert "https://app.acme.example/login" in page


def test_answers_are_stored(app: Flask, buyer_client: FlaskClient) -> None:
    status, _ = send(buyer_client)

    assert status == 303
    [registration] = all_rows(app, Registration)
    assert registration.company == "Juniper & Lark"
    assert registration.full_name == "Ada Lovelace"
    assert registration.email == "ada@gmail.com"
    assert registration.phone == "+1 (555) 010-0199"
    assert registration.notes == "Please call\nafter ten."


def test_phone_and_notes_are_optional(app: Flask, buyer_client: FlaskClient) -> None:
    status, _ = send(buyer_client, phone=" ", notes="")

    assert status == 303
    assert [(registration.phone, registration.notes) for registration in all_rows(app, Registration)] == [(None, None)]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("company", "", "Enter the name of your company."),
        ("company", "   ", "Enter the name of your company."),
        ("company", "\u200b", "Enter the name of your company."),
        ("company", "x" * 201, "Shorten this to 200 characters or fewer."),
        ("full_name", "", "Enter your full name."),
        ("email", "", "Enter your email address."),
        ("email", "not-an-email", "Enter an email address like name@example.com."),
        ("email", "a@b@c.example", "Enter an email address like name@example.com."),
        ("email", "x" * 250 + "@example.com", "Shorten this to 254 characters or fewer."),
        ("email", "x" * 65 + "@example.com", "Shorten the part before the @ to 64 characters or fewer."),
        ("phone", "5" * 51, "Shorten this to 50 characters or fewer."),
        ("notes", "x" * 2001, "Shorten this to 2000 characters or fewer."),
    ],
)
def test_invalid_answer_is_returned_with_reason(
    app: Flask, buyer_client: FlaskClient, field: str, value: str, message: str
) -> None:
    status, page = send(buyer_client, **{field: value})

    assert status == 422
    assert page.count(message) == 2
    assert f'href="#{field}"' in page
    assert f'aria-describedby="{field}-' in page
    answers = {"company": "Juniper &amp; Lark", "full_name": "Ada Lovelace", "email": "ada@gmail.com"}
    assert all(f'value="{answer}"' in page for name, answer in answers.items() if name != field)
    assert all_rows(app, Registration) == []


def test_control_characters_are_not_stored(app: Flask, buyer_client: FlaskClient) -> None:
    status, _ = send(
        buyer_client, company="Juniper\x00 &\r\nLark\x1b[2J", full_name="Zoë\u00a0O’Brien", notes="a\x07\nb"
    )

    assert status == 303
    [registration] = all_rows(app, Registration)
    assert registration.company == "Juniper & Lark[2J"
    assert registration.full_name == "Zoë O’Brien"
    assert registration.notes == "a\nb"


def test_missing_csrf_token_keeps_the_answers(app: Flask, buyer_client: FlaskClient) -> None:
    response = buyer_client.post("/signup", data=ANSWERS)

    assert response.status_code == 422
    assert "send them again" in response.text
    assert 'value="Ada Lovelace"' in response.text
    assert all_rows(app, Registration) == []


def test_double_submit_stores_one_registration(app: Flask, buyer_client: FlaskClient) -> None:
    form = {**ANSWERS, "csrf_token": csrf_token(buyer_client.get("/signup").text)}
    cookie = buyer_client.get_cookie("session", domain="localhost")
    assert cookie

    def submit(_: int) -> str | None:
        tab = app.test_client()
        tab.set_cookie("session", cookie.value, domain="localhost")
        return tab.post("/signup", data=form).location

    with ThreadPoolExecutor(8) as tabs:
        locations = set(tabs.map(submit, range(8)))

    assert locations == {"/welcome"}
    assert len(all_rows(app, Registration)) == 1


def test_corrected_answer_replaces_the_first(app: Flask, buyer_client: FlaskClient) -> None:
    form = {**ANSWERS, "csrf_token": csrf_token(buyer_client.get("/signup").text)}
    buyer_client.post("/signup", data=form)
    [before] = all_rows(app, Registration)

    buyer_client.post("/signup", data={**form, "email": "ada@example.com"})

    [after] = all_rows(app, Registration)
    assert (after.id, after.created_at, after.email) == (before.id, before.created_at, "ada@example.com")
    assert after.updated_at > before.updated_at


def test_form_of_another_purchase_is_refused(app: Flask, buyer_client: FlaskClient, sandbox: Sandbox) -> None:
    form = {**ANSWERS, "csrf_token": csrf_token(buyer_client.get("/signup").text)}
    buyer_client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="999988887777")})

    response = buyer_client.post("/signup", data=form)

    assert response.status_code == 422
    assert "another purchase" in response.text
    assert "•••• •••• 7777" in response.text
    assert all_rows(app, Registration) == []


def test_form_stays_valid_after_second_landing(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE))
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    form = {**ANSWERS, "csrf_token": csrf_token(client.get("/signup").text)}
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})

    response = client.post("/signup", data=form)

    assert response.location == "/welcome"
    assert len(all_rows(app, Registration)) == 1


def test_signup_without_purchase_is_refused_with_help(client: FlaskClient) -> None:
    shown = client.get("/signup")
    sent = client.post("/signup", data=ANSWERS)

    assert shown.status_code == sent.status_code == 403
    assert "Manage subscriptions" in shown.text
    assert "https://app.acme.example/login" in shown.text


def test_session_signed_with_other_key_is_no_purchase(client: FlaskClient) -> None:
    client.set_cookie("session", "eyJTdWJzY3JpcHRpb25JZCI6IjEifQ.aaaaaa.forged", domain="localhost")

    assert client.get("/signup").status_code == 403


def test_registered_customer_is_redirected_to_welcome(buyer_client: FlaskClient) -> None:
    send(buyer_client)

    assert buyer_client.get("/signup").location == "/welcome"


def test_markup_in_answers_is_escaped(buyer_client: FlaskClient) -> None:
    hostile = '"><script>alert(1)</script>'

    _, page = send(buyer_client, company=hostile, email="wrong")
    send(buyer_client, company=hostile)
    welcome = buyer_client.get("/welcome").text

    assert "<script" not in page + welcome
    assert "&lt;script&gt;" in page
    assert "&lt;script&gt;" in welcome


def test_deleted_subscription_is_stored_again_with_answers(app: Flask, buyer_client: FlaskClient) -> None:
    form = {**ANSWERS, "csrf_token": csrf_token(buyer_client.get("/signup").text)}
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM subscriptions")

    response = buyer_client.post("/signup", data=form, follow_redirects=True)

    assert response.request.path == "/welcome"
    assert len(all_rows(app, Registration)) == 1


def test_unreadable_page_does_not_mention_answers(environment: pytest.MonkeyPatch, buyer_client: FlaskClient) -> None:
    with browser_without_database(environment, buyer_client) as browser:
        page = browser.get("/welcome")

    assert page.status_code == 503
    assert "We cannot open this page right now" in page.text
    assert "what you sent" not in page.text
    assert "Try again</button>" in page.text


def test_unsaved_answers_stay_on_the_page(environment: pytest.MonkeyPatch, buyer_client: FlaskClient) -> None:
    form = {**ANSWERS, "csrf_token": csrf_token(buyer_client.get("/signup").text)}

    with browser_without_database(environment, buyer_client) as browser:
        page = browser.post("/signup", data=form)

    assert page.status_code == 503
    assert "We could not save this right now" in page.text
    assert "this page still has what you sent" in page.text
    assert 'value="Ada Lovelace"' in page.text
