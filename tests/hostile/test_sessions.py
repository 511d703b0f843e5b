"""Attacks on the session cookie: fixation, tampering, replay, cookies from sibling subdomains; and key rotation."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.security.headers import SESSION_HOURS
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, PRODUCT_CODE, TOKEN_FIELD
from tests.support.page_checks import csrf_token

pytestmark = on_sqlite

NEW_KEY = "the-next-secret-key-of-this-seller"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HTTPS_URL = "https://buy.example"


@pytest.fixture
def tls_browser(environment: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A client of the application with its settings for TLS, which sends only the cookies a test gives it."""
    environment.delenv("SESSION_COOKIE_SECURE")
    with factories.open_app(create_app()) as app:
        yield app.test_client(use_cookies=False)


def session_cookie(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("session", domain="localhost")
    assert cookie
    return cookie.value


def browser_with_session(app: Flask, cookie: str) -> FlaskClient:
    """Return another browser that has this session cookie."""
    browser = app.test_client()
    browser.set_cookie("session", cookie, domain="localhost")
    return browser


def signup_form(browser: FlaskClient) -> dict[str, str]:
    return {**ANSWERS, "csrf_token": csrf_token(browser.get("/signup").text)}


def tampered(cookie: str, index: int) -> str:
    """Return the cookie with another character at the index.

    It flips the character's top bit: a last character's lower bits may not belong to any decoded byte.
    """
    old = cookie[index]
    new = "A" if old not in BASE64 else BASE64[BASE64.index(old) ^ 32]
    return cookie[:index] + new + cookie[index + 1 :]


def test_session_planted_before_a_landing_is_cleared_by_it(client: FlaskClient, sandbox: Sandbox) -> None:
    attacker = client.application.test_client()
    attacker.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="666666666666")})
    planted = session_cookie(attacker)
    victim = browser_with_session(client.application, planted)

    victim.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})

    assert session_cookie(victim) != planted
    assert "•••• •••• 8901" in victim.get("/signup").text
    assert "•••• •••• 6666" in browser_with_session(client.application, planted).get("/signup").text


def test_planted_session_is_cleared_by_a_failed_landing(client: FlaskClient, sandbox: Sandbox) -> None:
    attacker = client.application.test_client()
    attacker.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    victim = browser_with_session(client.application, session_cookie(attacker))

    victim.post("/", data={TOKEN_FIELD: "made up"})

    assert victim.get("/signup").status_code == 403


def test_planted_session_does_not_show_the_victims_answers(client: FlaskClient, sandbox: Sandbox) -> None:
    attacker = client.application.test_client()
    attacker.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    planted = session_cookie(attacker)
    victim = browser_with_session(client.application, planted)

    victim.post("/signup", data=signup_form(victim))

    page = browser_with_session(client.application, planted).get("/welcome").text
    assert "Lovelace" not in page
    assert "ada@gmail.com" not in page


def test_session_with_any_character_changed_is_refused(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    cookie = session_cookie(client)
    client.application.test_client_class = None  # checking every page would be slow

    statuses = {
        index: browser_with_session(client.application, tampered(cookie, index)).get("/signup").status_code
        for index in {*range(0, len(cookie), 5), *range(len(cookie) - 40, len(cookie))}
    }

    assert browser_with_session(client.application, cookie).get("/signup").status_code == 200
    assert {index: status for index, status in statuses.items() if status != 403} == {}


@pytest.mark.parametrize("cookie", ["", ".", "..", "a.b.c", "null", "e30", '"', "\u00ff", "x" * 4000])
def test_malformed_session_is_refused(client: FlaskClient, cookie: str) -> None:
    assert client.get("/signup", headers={"Cookie": f"session={cookie}"}).status_code == 403


def test_session_expires_after_a_day(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    cookie = session_cookie(client)

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=SESSION_HOURS, seconds=2)):
        response = browser_with_session(client.application, cookie).get("/signup")

    assert response.status_code == 403


def test_replayed_session_makes_no_second_registration(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    cookie, form = session_cookie(client), signup_form(client)
    client.post("/signup", data=form)

    response = browser_with_session(client.application, cookie).post("/signup", data=form)

    assert response.location == "/welcome"
    result = client.application.test_cli_runner().invoke(args=["registrations", "list", "--json"])
    assert result.stdout.count('"company"') == 1


def test_earlier_session_still_registers_its_own_purchase(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})
    first_cookie, form = session_cookie(client), signup_form(client)
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="999988887777")})

    browser_with_session(client.application, first_cookie).post("/signup", data=form)

    assert client.get("/welcome").location == "/signup"
    assert browser_with_session(client.application, first_cookie).get("/welcome").status_code == 200


def test_tls_session_ignores_cookies_another_subdomain_could_set(tls_browser: FlaskClient, sandbox: Sandbox) -> None:
    landing = tls_browser.post("/", data={TOKEN_FIELD: factories.token(sandbox)}, base_url=HTTPS_URL)
    value = landing.headers["Set-Cookie"].partition("=")[2].partition(";")[0]

    def status(cookies: str) -> int:
        return tls_browser.get("/signup", headers={"Cookie": cookies}, base_url=HTTPS_URL).status_code

    assert status(f"__Host-session={value}") == 200
    assert status(f"session={value}") == 403
    assert status(f"__Host-Session={value}; __host-session={value}; session={value}") == 403
    assert status(f"session=tossed; __Host-session={value}") == 200


def test_two_session_cookies_are_never_mixed(client: FlaskClient, sandbox: Sandbox) -> None:
    cookies = []
    for account_id in ("012345678901", "999988887777"):
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id=account_id)})
        cookies.append(session_cookie(client))
    form = signup_form(client)

    browser = client.application.test_client(use_cookies=False)
    response = browser.post("/signup", data=form, headers={"Cookie": f"session={cookies[0]}; session={cookies[1]}"})

    assert response.status_code == 422
    assert "•••• •••• 8901" in response.text
    assert browser_with_session(client.application, cookies[1]).get("/welcome").location == "/signup"


def test_session_and_form_survive_key_rotation(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox
) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    cookie, form = session_cookie(client), signup_form(client)
    environment.setenv("SECRET_KEY_FALLBACKS", f"an-even-earlier-secret-key,{factories.SECRET_KEY}")
    environment.setenv("SECRET_KEY", NEW_KEY)

    with factories.open_app(create_app()) as rotated:
        browser = browser_with_session(rotated, cookie)
        page = browser.get("/signup")
        response = browser.post("/signup", data=form)
        new_cookie = session_cookie(browser)

    assert (page.status_code, response.location) == (200, "/welcome")
    environment.delenv("SECRET_KEY_FALLBACKS")
    with factories.open_app(create_app()) as without_the_old_key:
        assert browser_with_session(without_the_old_key, cookie).get("/signup").status_code == 403
        assert browser_with_session(without_the_old_key, new_cookie).get("/welcome").status_code == 200


def test_form_signed_with_a_removed_key_is_refused(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox
) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE))
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    form = signup_form(client)
    environment.setenv("SECRET_KEY", NEW_KEY)

    with factories.open_app(create_app()) as rotated:
        browser = rotated.test_client()
        browser.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
        response = browser.post("/signup", data=form)

    assert response.status_code == 422
    assert 'value="Ada Lovelace"' in response.text
