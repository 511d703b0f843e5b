"""The headers that guard every page are on every answer: each route, each method, each error and redirect."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.security.headers import HSTS, SECURITY_HEADERS
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token

pytestmark = on_sqlite

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "DELETE")
STRAY = ("/nowhere", "/static/nowhere.css", "/static/%00", "/signup/", "//", "/.well-known/", "/\ud83d\udd11")


@pytest.fixture
def behind_tls(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application as it is behind TLS."""
    environment.delenv("SESSION_COOKIE_SECURE")
    environment.setenv("TRUSTED_HOSTS", "localhost")
    with factories.open_app(create_app()) as app:
        yield app


def unguarded(headers: dict[str, str]) -> list[str]:
    guards = {**SECURITY_HEADERS, "Strict-Transport-Security": HSTS}
    return [name for name, value in guards.items() if headers.get(name) != value]


def test_every_answer_of_every_route_is_guarded_and_not_kept(behind_tls: Flask) -> None:
    browser = behind_tls.test_client()
    routes = [rule.rule.replace("<path:filename>", "style.css") for rule in behind_tls.url_map.iter_rules()]

    found = {}
    for path in (*routes, *(stray.encode("utf-8", "surrogatepass").decode("latin-1") for stray in STRAY)):
        for method in METHODS:
            with browser.open(path, method=method, base_url="https://localhost") as answer:
                found[method, path, answer.status_code] = answer.headers

    statuses = {status for _, _, status in found}
    assert {200, 400, 403, 404, 405} <= statuses
    assert not {status for status in statuses if status >= 500}
    assert {key: unguarded(dict(headers)) for key, headers in found.items() if unguarded(dict(headers))} == {}
    kept = {key for key, headers in found.items() if headers.get("Cache-Control") != "no-store"}
    assert kept == {(method, "/static/style.css", 200) for method in ("GET", "HEAD")}


def test_redirects_personal_pages_and_refusals_are_guarded_too(behind_tls: Flask, sandbox: Sandbox) -> None:
    browser = behind_tls.test_client()
    base = "https://localhost"

    landed = browser.post("/", data={TOKEN_FIELD: factories.token(sandbox)}, base_url=base)
    form = browser.get("/signup", base_url=base)
    wrong = browser.post("/signup", data=ANSWERS, base_url=base)
    right = browser.post("/signup", data={**ANSWERS, "csrf_token": csrf_token(form.text)}, base_url=base)
    welcome = browser.get("/welcome", base_url=base)
    too_large = browser.post("/", data={TOKEN_FIELD: "x" * 100_000}, base_url=base)
    stranger = browser.get("/", base_url="https://evil.example")
    sandbox.marketplace.faults = sandbox.marketplace.faults.model_copy(update={"access_denied": True})
    refused = browser.post("/", data={TOKEN_FIELD: factories.token(sandbox)}, base_url=base)

    answers = [landed, form, wrong, right, welcome, too_large, stranger, refused]
    assert [answer.status_code for answer in answers[:7]] == [303, 200, 422, 303, 200, 413, 400]
    assert [unguarded(dict(answer.headers)) for answer in answers] == [[]] * len(answers)
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


def test_an_error_that_nobody_foresaw_is_guarded_too(behind_tls: Flask) -> None:
    behind_tls.testing = False
    behind_tls.view_functions["landing.show"] = lambda: str(1 / 0)

    answer = behind_tls.test_client().get("/", base_url="https://localhost")

    assert answer.status_code == 500
    assert unguarded(dict(answer.headers)) == []


def test_the_policies_allow_what_the_pages_need_and_nothing_unsafe(client: FlaskClient) -> None:
    policy = dict(part.split(" ", 1) for part in client.get("/").headers["Content-Security-Policy"].split("; "))

    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
