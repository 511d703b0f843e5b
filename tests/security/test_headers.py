"""Cookies, hosts, proxies and headers."""

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from app import create_app
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD

pytestmark = on_sqlite


def test_behind_tls_the_cookie_is_secure_and_bound_to_the_host(
    environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
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


def test_without_tls_there_is_no_promise_of_it(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_every_page_has_the_headers_that_guard_it(client: FlaskClient) -> None:
    headers = client.get("/").headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_the_stylesheet_may_be_kept_and_changes_its_address_when_it_changes(client: FlaskClient) -> None:
    address = client.get("/").text.partition('rel="stylesheet"')[2].partition('href="')[2].partition('"')[0]

    with client.get(address) as stylesheet:
        assert "?v=" in address
        assert stylesheet.mimetype == "text/css"
        assert "max-age=31536000" in stylesheet.headers["Cache-Control"]


def test_sessions_signed_with_an_earlier_key_stay_good(
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


def test_only_trusted_hosts_are_answered_but_for_health(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRUSTED_HOSTS", "buy.acme.example")

    with factories.open_app(create_app()) as app:
        browser = app.test_client()

        assert browser.get("/", base_url="https://buy.acme.example").status_code == 200
        assert browser.get("/", base_url="https://evil.example").status_code == 400
        assert browser.get("/healthz", base_url="http://10.0.0.7:8000").status_code == 200


def test_forwarded_headers_count_only_for_the_proxies_that_stand_in_front(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRUSTED_HOSTS", "buy.acme.example")
    forged = {"X-Forwarded-Host": "buy.acme.example", "X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    seen: list[str | None] = []

    for hops in (0, 1, 2):
        environment.setenv("TRUSTED_PROXIES", str(hops))
        with factories.open_app(create_app()) as app:
            app.before_request(lambda: seen.append(request.remote_addr))
            app.test_client().get("/", base_url="http://buy.acme.example", headers=forged)
            assert app.test_client().get("/", base_url="http://evil.example", headers=forged).status_code == 400

    assert seen == ["127.0.0.1", "198.51.100.7", "203.0.113.9"]
