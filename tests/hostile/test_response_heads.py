"""No response's head is over 4096 bytes, whatever its fields: nginx reads it into a buffer of that size."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Row
from uuid_utils.compat import uuid7
from werkzeug.urls import iri_to_uri

from app import create_app
from app.config import products
from app.models import Registration
from app.services.delivery import send_handoff
from app.services.outbox import queue
from app.services.signup import invitations, progress, resume_links
from app.views import draft_cookie
from app.views.draft_cookie import Draft
from tests.support import factories, longest_values
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.handoff_receiver import HandoffReceiver, json_reply
from tests.support.longest_values import ACCOUNT_URL, MAX_HEAD_BYTES, REFERENCE, head_bytes
from tests.support.page_checks import check_response, csrf_token
from tests.support.scripted_aws import AwsResponse, ScriptedAws
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite

METHODS = ("GET", "POST", "OPTIONS")
BASE_URL = "https://localhost"
LONG_QUERY = f"change&{longest_values.text(3500)}"
Cookies = dict[str, str]


@pytest.fixture
def longest_environment(
    environment: pytest.MonkeyPatch, product: HandoffReceiver, tmp_path: Path
) -> Iterator[pytest.MonkeyPatch]:
    """The environment with the longest settings, and an AWS that names the longest customer."""
    factories.enable_handoffs(environment)
    settings = ("SESSION_COOKIE_SECURE", "PRODUCT_CODE", "PRODUCT_NAME", "PRODUCT_SIGN_IN_URL", "SUPPORT_EMAIL")
    for name in (*settings, "PRODUCT_HANDOFF_URL"):
        environment.delenv(name)
    environment.setenv("PRODUCTS_FILE", str(longest_values.write_products_file(tmp_path, product.url)))
    environment.setenv("SITE_URL", longest_values.SITE_URL)
    with ScriptedAws([AwsResponse(200, longest_values.CUSTOMER)]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)
        yield environment


@pytest.fixture
def longest_app(longest_environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    with factories.open_app(create_app()) as app:
        yield app


def open_browser(app: Flask, cookies: Cookies) -> FlaskClient:
    browser = app.test_client()
    for name, value in cookies.items():
        browser.set_cookie(name, value, domain="localhost", secure=True)
    return browser


def cookies_of(browser: FlaskClient) -> Cookies:
    found = {name: browser.get_cookie(name, domain="localhost") for name in ("__Host-session", "__Host-draft")}
    return {name: cookie.value for name, cookie in found.items() if cookie}


def land(app: Flask) -> Cookies:
    """Land, with a draft of five registrations that wait for their purchases, and return the browser's cookies."""
    with app.app_context():
        ciphertext = draft_cookie._encrypt(Draft(unlinked_ids=tuple(uuid7() for _ in range(draft_cookie.MAX_IDS))))
    browser = open_browser(app, {"__Host-draft": ciphertext})
    fields = {TOKEN_FIELD: "token", "x-amzn-marketplace-offer-type": longest_values.OFFER_TYPE}
    assert browser.post("/", data=fields, base_url=BASE_URL).location == "/signup"
    return cookies_of(browser)


def register(
    app: Flask, product: HandoffReceiver, url: str = ACCOUNT_URL, reference: str = REFERENCE
) -> tuple[Cookies, Row[Any]]:
    """Register, let the product reply with that account, and return the browser's cookies and the registration."""
    browser = open_browser(app, land(app))
    form = browser.get("/signup", base_url=BASE_URL).text
    answers = {**longest_values.ANSWERS, "email": "ada@gmail.com", "csrf_token": csrf_token(form)}
    assert browser.post("/signup", data=answers, base_url=BASE_URL).location == "/welcome"
    product.reply = lambda _: json_reply(200, url=url, reference=reference)
    with app.app_context():
        endpoint = products.current().handoff_endpoints[longest_values.PRODUCT_CODE]
        claimed = queue.claim(queue.handoff_lane(longest_values.PRODUCT_CODE))
        assert claimed
        send_handoff.send(endpoint, claimed, allow_private=True)
    [registration] = all_rows(app, Registration)
    return cookies_of(browser), registration


def paths(app: Flask, record_id: UUID) -> list[str]:
    """Return a path of each route: links that lead to the record, with and without a long query."""
    with app.app_context():
        links = {link.prefix: link.path_for(record_id) for link in (progress.LINK, resume_links.LINK, invitations.LINK)}
    filled = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<uuid:\w+>", str(record_id), rule.rule)
        path = path.replace("<path:filename>", "style.css").replace("<name>", "none.css")
        path = next((links[prefix] for prefix in links if path.startswith(prefix)), path)
        filled += [path, f"{path}?{LONG_QUERY}"]
    assert not [path for path in filled if "<" in path]
    return filled


def longest_heads(app: Flask, cookies: Cookies, form: dict[str, str], record_id: UUID) -> dict[str, int]:
    """Open each route with each method, as a browser with these cookies, and return the head's bytes by request."""
    heads = {}
    for path in paths(app, record_id):
        for method in METHODS:
            browser, data = open_browser(app, cookies), form if method == "POST" else None
            response = browser.open(path, method=method, data=data, base_url=BASE_URL)
            heads[f"{method} {path[:60]} {response.status_code}"] = head_bytes(response)
            response.close()
    return heads


def longest_form(app: Flask, cookies: Cookies) -> dict[str, str]:
    page = open_browser(app, cookies).get("/signup?change", base_url=BASE_URL).text
    return {**longest_values.ANSWERS, "csrf_token": csrf_token(page), "email": "not-an-email"}


def test_no_head_is_too_long_before_the_registration(longest_app: Flask) -> None:
    cookies = land(longest_app)

    heads = longest_heads(longest_app, cookies, longest_form(longest_app, cookies), uuid7())

    assert {request: length for request, length in heads.items() if length > MAX_HEAD_BYTES} == {}


def test_no_head_is_too_long_once_the_account_is_ready(longest_app: Flask, product: HandoffReceiver) -> None:
    cookies, registration = register(longest_app, product)

    heads = longest_heads(longest_app, cookies, longest_form(longest_app, cookies), registration.id)

    assert {request: length for request, length in heads.items() if length > MAX_HEAD_BYTES} == {}


def test_no_head_is_too_long_while_the_database_is_down(
    longest_app: Flask, longest_environment: pytest.MonkeyPatch
) -> None:
    cookies = land(longest_app)
    form = longest_form(longest_app, cookies)
    longest_environment.setenv("DATABASE_URL", "sqlite:////nowhere/foyer.db")

    with factories.open_app(create_app()) as app:
        heads = longest_heads(app, cookies, {**form, "email": "ada@gmail.com"}, uuid7())

    assert {request: length for request, length in heads.items() if length > MAX_HEAD_BYTES} == {}
    assert any(request.startswith("POST /signup 503") for request in heads)


def test_no_draft_of_any_size_makes_a_long_head(longest_app: Flask) -> None:
    cookies = land(longest_app)
    form = {**longest_form(longest_app, cookies), **ANSWERS, "email": "not-an-email"}

    heads = {}
    for length in range(0, 2001, 50):
        notes = longest_values.text(length, longest_values.HAN)
        response = open_browser(longest_app, cookies).post("/signup", data={**form, "notes": notes}, base_url=BASE_URL)
        heads[length] = head_bytes(response)

    assert {length: head for length, head in heads.items() if head > MAX_HEAD_BYTES} == {}


@pytest.mark.parametrize("length", [100, 3500])
def test_redirect_of_a_doubled_slash_leads_to_the_page(longest_app: Flask, length: int) -> None:
    environ = {"PATH_INFO": "/progress//link", "QUERY_STRING": longest_values.text(length)}

    response = longest_app.test_client().get("/", base_url=BASE_URL, environ_overrides=environ)

    assert head_bytes(response) <= MAX_HEAD_BYTES
    assert "https://localhost/progress/link?" in response.text
    assert response.status_code == (308 if length == 100 else 200)


@pytest.mark.parametrize("url_length", [60, 1700, 2048])
@pytest.mark.parametrize("characters", [longest_values.ID_CHARACTERS, longest_values.ASTRAL], ids=["ascii", "astral"])
def test_enter_leads_to_an_account_with_any_url_and_reference(
    longest_app: Flask, product: HandoffReceiver, url_length: int, characters: str
) -> None:
    url = f"https://app.acme.example/{longest_values.text(url_length - 30, characters)}?a=1"
    reference = longest_values.text(255, characters)
    cookies, registration = register(longest_app, product, url, reference)

    response = open_browser(longest_app, cookies).get("/enter", base_url=BASE_URL)

    check_response(response)
    assert head_bytes(response) <= MAX_HEAD_BYTES
    target = response.location
    if target is None:
        [content] = re.findall(r'http-equiv="refresh" content="0; url=([^"]+)"', response.text)
        target = unescape(content)
        assert f'href="{content}"' in response.text
    assert target.startswith(f"{iri_to_uri(url)}&{progress.QUERY_PARAMETER}=")
    [sign_in_token] = parse_qs(urlsplit(target).query)[progress.QUERY_PARAMETER]
    claims = jwt.decode(sign_in_token, options={"verify_signature": False})
    assert (claims["registration_id"], claims["reference"]) == (str(registration.id), reference)
    assert claims["exp"] > datetime.now(UTC).timestamp()
