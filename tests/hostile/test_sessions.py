"""The session's cookie in the hands of others: planted, altered, replayed, tossed in from next door, and a new key."""

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

NEXT_KEY = "the-next-secret-key-of-this-seller"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SECURE = "https://buy.example"


@pytest.fixture
def behind_tls(environment: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A browser that keeps no cookies by itself, at the application behind TLS."""
    environment.delenv("SESSION_COOKIE_SECURE")
    with factories.open_app(create_app()) as app:
        yield app.test_client(use_cookies=False)


def session_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("session", domain="localhost")
    assert cookie
    return cookie.value


def holding(app: Flask, *cookies: str) -> FlaskClient:
    """Return another browser, which holds that session."""
    browser = app.test_client()
    for cookie in cookies:
        browser.set_cookie("session", cookie, domain="localhost")
    return browser


def filled_in(browser: FlaskClient) -> dict[str, str]:
    return {**ANSWERS, "csrf_token": csrf_token(browser.get("/signup").text)}


def altered(cookie: str, place: int) -> str:
    """Return the cookie with another character there, one that stands for other bytes: only its top bit is sure to."""
    old = cookie[place]
    new = "A" if old not in BASE64 else BASE64[BASE64.index(old) ^ 32]
    return cookie[:place] + new + cookie[place + 1 :]


def test_a_session_planted_before_the_landing_does_not_survive_it(client: FlaskClient, sandbox: Sandbox) -> None:
    attacker = client.application.test_client()
    attacker.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="666666666666")})
    planted = session_of(attacker)
    victim = holding(client.application, planted)

    victim.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})

    assert session_of(victim) != planted
    assert "•••• •••• 8901" in victim.get("/signup").text
    assert "•••• •••• 6666" in holding(client.application, planted).get("/signup").text


def test_a_planted_session_does_not_survive_a_landing_that_fails(client: FlaskClient, sandbox: Sandbox) -> None:
    attacker = client.application.test_client()
    attacker.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    victim = holding(client.application, session_of(attacker))

    victim.post("/", data={TOKEN_FIELD: "made up"})

    assert victim.get("/signup").status_code == 403


def test_what_the_victim_answers_is_not_shown_to_whoever_planted_the_session(
    client: FlaskClient, sandbox: Sandbox
) -> None:
    attacker = client.application.test_client()
    attacker.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    planted = session_of(attacker)
    victim = holding(client.application, planted)

    victim.post("/signup", data=filled_in(victim))

    page = holding(client.application, planted).get("/welcome").text
    assert "Lovelace" not in page
    assert "ada@gmail.com" not in page


def test_a_session_with_any_character_changed_is_no_purchase(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    cookie = session_of(client)
    client.application.test_client_class = None  # one that looks at no page is quicker

    statuses = {
        place: holding(client.application, altered(cookie, place)).get("/signup").status_code
        for place in {*range(0, len(cookie), 5), *range(len(cookie) - 40, len(cookie))}
    }

    assert holding(client.application, cookie).get("/signup").status_code == 200
    assert {place: status for place, status in statuses.items() if status != 403} == {}


@pytest.mark.parametrize("cookie", ["", ".", "..", "a.b.c", "null", "e30", '"', "\u00ff", "x" * 4000])
def test_a_session_that_is_none_is_no_purchase(client: FlaskClient, cookie: str) -> None:
    assert client.get("/signup", headers={"Cookie": f"session={cookie}"}).status_code == 403


def test_a_session_of_a_day_ago_is_over(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    cookie = session_of(client)

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=SESSION_HOURS, seconds=2)):
        later = holding(client.application, cookie).get("/signup")

    assert later.status_code == 403


def test_a_session_posted_again_after_the_submit_makes_nothing_new(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    before, form = session_of(client), filled_in(client)
    client.post("/signup", data=form)

    again = holding(client.application, before)
    response = again.post("/signup", data=form)

    assert response.location == "/welcome"
    listed = client.application.test_cli_runner().invoke(args=["registrations", "list", "--json"])
    assert listed.stdout.count('"company"') == 1


def test_a_session_posted_after_another_purchase_is_still_its_own(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})
    first, form = session_of(client), filled_in(client)
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="999988887777")})

    holding(client.application, first).post("/signup", data=form)

    assert client.get("/welcome").location == "/signup"
    assert holding(client.application, first).get("/welcome").status_code == 200


def test_behind_tls_a_cookie_that_a_sibling_could_set_is_not_read(behind_tls: FlaskClient, sandbox: Sandbox) -> None:
    landed = behind_tls.post("/", data={TOKEN_FIELD: factories.token(sandbox)}, base_url=SECURE)
    value = landed.headers["Set-Cookie"].partition("=")[2].partition(";")[0]

    def status(cookies: str) -> int:
        return behind_tls.get("/signup", headers={"Cookie": cookies}, base_url=SECURE).status_code

    assert status(f"__Host-session={value}") == 200
    assert status(f"session={value}") == 403
    assert status(f"__Host-Session={value}; __host-session={value}; session={value}") == 403
    assert status(f"session=tossed; __Host-session={value}") == 200


def test_of_two_cookies_of_one_name_no_mixture_is_made(client: FlaskClient, sandbox: Sandbox) -> None:
    cookies = []
    for account_id in ("012345678901", "999988887777"):
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id=account_id)})
        cookies.append(session_of(client))
    form = filled_in(client)

    browser = client.application.test_client(use_cookies=False)
    sent = browser.post("/signup", data=form, headers={"Cookie": f"session={cookies[0]}; session={cookies[1]}"})

    assert sent.status_code == 422
    assert "•••• •••• 8901" in sent.text
    assert holding(client.application, cookies[1]).get("/welcome").location == "/signup"


def test_session_and_open_form_survive_a_new_key(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox
) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    cookie, form = session_of(client), filled_in(client)
    environment.setenv("SECRET_KEY_FALLBACKS", f"an-even-earlier-secret-key,{factories.SECRET_KEY}")
    environment.setenv("SECRET_KEY", NEXT_KEY)

    with factories.open_app(create_app()) as rotated:
        browser = holding(rotated, cookie)
        shown = browser.get("/signup")
        sent = browser.post("/signup", data=form)
        renewed = session_of(browser)

    assert (shown.status_code, sent.location) == (200, "/welcome")
    environment.delenv("SECRET_KEY_FALLBACKS")
    with factories.open_app(create_app()) as without_the_old_key:
        assert holding(without_the_old_key, cookie).get("/signup").status_code == 403
        assert holding(without_the_old_key, renewed).get("/welcome").status_code == 200


def test_a_form_signed_by_a_key_that_is_gone_is_not_taken(
    environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox
) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE))
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    form = filled_in(client)
    environment.setenv("SECRET_KEY", NEXT_KEY)

    with factories.open_app(create_app()) as rotated:
        browser = rotated.test_client()
        browser.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
        sent = browser.post("/signup", data=form)

    assert sent.status_code == 422
    assert 'value="Ada Lovelace"' in sent.text
