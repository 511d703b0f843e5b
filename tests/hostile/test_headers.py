"""The security headers are on every response: of each route and method, each error and redirect."""

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
UNKNOWN_PATHS = ("/nowhere", "/static/nowhere.css", "/static/%00", "/signup/", "//", "/.well-known/", "/\ud83d\udd11")


@pytest.fixture
def tls_app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application with its settings for TLS."""
    environment.delenv("SESSION_COOKIE_SECURE")
    environment.setenv("TRUSTED_HOSTS", "localhost")
    with factories.open_app(create_app()) as app:
        yield app


def missing_headers(headers: dict[str, str]) -> list[str]:
    expected = {**SECURITY_HEADERS, "Strict-Transport-Security": HSTS}
    return [name for name, value in expected.items() if headers.get(name) != value]


def test_every_response_has_security_headers_and_is_not_cached(tls_app: Flask) -> None:
    browser = tls_app.test_client()
    routes = [rule.rule.replace("<path:filename>", "style.css") for rule in tls_app.url_map.iter_rules()]

    responses = {}
    for path in (*routes, *(path.encode("utf-8", "surrogatepass").decode("latin-1") for path in UNKNOWN_PATHS)):
        for method in METHODS:
            with browser.open(path, method=method, base_url="https://localhost") as response:
                responses[method, path, response.status_code] = dict(response.headers)

    statuses = {status for _, _, status in responses}
    assert {200, 400, 403, 404, 405} <= statuses
    assert not {status for status in statuses if status >= 500}
    missing = {key: missing_headers(headers) for key, headers in responses.items()}
    assert {key: names for key, names in missing.items() if names} == {}
    cached = {key for key, headers in responses.items() if headers.get("Cache-Control") != "no-store"}
    assert cached == {(method, "/static/style.css", 200) for method in ("GET", "HEAD")}


def test_redirects_personal_pages_and_errors_have_security_headers(tls_app: Flask, sandbox: Sandbox) -> None:
    browser = tls_app.test_client()
    base = "https://localhost"

    landing = browser.post("/", data={TOKEN_FIELD: factories.token(sandbox)}, base_url=base)
    form = browser.get("/signup", base_url=base)
    refused_signup = browser.post("/signup", data=ANSWERS, base_url=base)
    signup = browser.post("/signup", data={**ANSWERS, "csrf_token": csrf_token(form.text)}, base_url=base)
    welcome = browser.get("/welcome", base_url=base)
    too_large = browser.post("/", data={TOKEN_FIELD: "x" * 100_000}, base_url=base)
    unknown_host = browser.get("/", base_url="https://evil.example")
    sandbox.marketplace.change_faults(access_denied=True)
    aws_refusal = browser.post("/", data={TOKEN_FIELD: factories.token(sandbox)}, base_url=base)

    responses = [landing, form, refused_signup, signup, welcome, too_large, unknown_host, aws_refusal]
    assert [response.status_code for response in responses[:7]] == [303, 200, 422, 303, 200, 413, 400]
    assert [missing_headers(dict(response.headers)) for response in responses] == [[]] * len(responses)
    assert {response.headers["Cache-Control"] for response in responses} == {"no-store"}


def test_unexpected_error_has_security_headers(tls_app: Flask) -> None:
    tls_app.testing = False
    tls_app.view_functions["landing.show"] = lambda: str(1 / 0)

    response = tls_app.test_client().get("/", base_url="https://localhost")

    assert response.status_code == 500
    assert missing_headers(dict(response.headers)) == []


def test_content_security_policy_allows_only_what_the_pages_need(client: FlaskClient) -> None:
    policy = dict(part.split(" ", 1) for part in client.get("/").headers["Content-Security-Policy"].split("; "))

    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
