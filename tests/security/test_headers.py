"""Security headers: the session cookie, trusted hosts and proxies, and what every response carries."""

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from app import create_app
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD

pytestmark = on_sqlite


def test_session_cookie_is_secure_and_host_bound_behind_tls(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    environment.delenv("SESSION_COOKIE_SECURE")

    with factories.open_app(create_app()) as app:
        response = app.test_client().post(
            "/", data={TOKEN_FIELD: factories.token(sandbox)}, base_url="https://buy.example"
        )

    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_hsts_header_is_absent_without_tls(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_pages_carry_the_security_headers(client: FlaskClient) -> None:
    headers = client.get("/").headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_stylesheet_is_cacheable_and_has_a_versioned_url(client: FlaskClient) -> None:
    url = client.get("/").text.partition('rel="stylesheet"')[2].partition('href="')[2].partition('"')[0]

    with client.get(url) as stylesheet:
        assert "?v=" in url
        assert stylesheet.mimetype == "text/css"
        assert "max-age=31536000" in stylesheet.headers["Cache-Control"]


def test_session_signed_with_an_earlier_key_stays_valid(
    app: Flask, environment: pytest.MonkeyPatch, client: FlaskClient, sandbox: Sandbox
) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    cookie = client.get_cookie("session", domain="localhost")
    assert cookie
    environment.setenv("SECRET_KEY_FALLBACKS", factories.SECRET_KEY)
    environment.setenv("SECRET_KEY", "the-next-secret-key-of-this-seller")

    with factories.open_app(create_app()) as rotated:
        browser = rotated.test_client()
        browser.set_cookie("session", cookie.value, domain="localhost")
        page = browser.get("/signup")

    assert page.status_code == 200


@pytest.mark.parametrize(("ahead_seconds", "status"), [(0.1, 200), (1, 200), (58, 200), (90, 403)])
def test_session_by_a_clock_that_is_ahead_is_valid_for_a_minute(
    client: FlaskClient, sandbox: Sandbox, ahead_seconds: float, status: int
) -> None:
    token = factories.token(sandbox)
    with time_passes(seconds=ahead_seconds):
        client.post("/", data={TOKEN_FIELD: token})

    assert client.get("/signup").status_code == status


def test_untrusted_hosts_are_refused_except_for_health_checks(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRUSTED_HOSTS", "buy.acme.example")

    with factories.open_app(create_app()) as app:
        browser = app.test_client()

        assert browser.get("/", base_url="https://buy.acme.example").status_code == 200
        assert browser.get("/", base_url="https://evil.example").status_code == 400
        assert browser.get("/healthz", base_url="http://10.0.0.7:8000").status_code == 200


def test_forwarded_headers_count_only_from_trusted_proxies(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRUSTED_HOSTS", "buy.acme.example")
    forged = {"X-Forwarded-Host": "buy.acme.example", "X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    remote_addresses: list[str | None] = []

    for hops in (0, 1, 2):
        environment.setenv("TRUSTED_PROXIES", str(hops))
        with factories.open_app(create_app()) as app:
            app.before_request(lambda: remote_addresses.append(request.remote_addr))
            app.test_client().get("/", base_url="http://buy.acme.example", headers=forged)
            assert app.test_client().get("/", base_url="http://evil.example", headers=forged).status_code == 400

    assert remote_addresses == ["127.0.0.1", "198.51.100.7", "203.0.113.9"]
