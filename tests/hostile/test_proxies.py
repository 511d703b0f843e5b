"""Hosts and proxies: only as many hops are believed as stand in front, and only the names that are ours answer."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import request
from flask.testing import FlaskClient

from app import create_app
from tests.support import factories
from tests.support.databases import on_sqlite

pytestmark = on_sqlite

PEER = "127.0.0.1"
BUYER, SPOOFED, BALANCER = "203.0.113.9", "192.0.2.66", "10.0.0.7"


@contextmanager
def behind(environment: pytest.MonkeyPatch, hops: int) -> Iterator[FlaskClient]:
    """A client of the application behind so many proxies, with a page that tells who is thought to ask, and how."""
    environment.setenv("TRUSTED_PROXIES", str(hops))
    with factories.open_app(create_app()) as app:
        app.add_url_rule("/who", view_func=lambda: f"{request.remote_addr} {request.scheme} {request.host}")
        yield app.test_client()


@pytest.mark.parametrize(
    ("hops", "chain", "believed"),
    [
        (0, None, PEER),
        (0, BUYER, PEER),
        (0, f"{SPOOFED}, {BUYER}", PEER),
        (1, BUYER, BUYER),
        (1, f"{SPOOFED}, {BUYER}", BUYER),
        (1, f"{SPOOFED}, {SPOOFED}, {BUYER}", BUYER),
        (1, None, PEER),
        (2, f"{BUYER}, {BALANCER}", BUYER),
        (2, f"{SPOOFED}, {BUYER}, {BALANCER}", BUYER),
        (2, BUYER, PEER),
        (2, None, PEER),
    ],
)
def test_the_buyers_address_is_what_the_outermost_of_our_proxies_saw(
    environment: pytest.MonkeyPatch, hops: int, chain: str | None, believed: str
) -> None:
    with behind(environment, hops) as client:
        answer = client.get("/who", headers={"X-Forwarded-For": chain} if chain else {})

    assert answer.text == f"{believed} http localhost"


@pytest.mark.parametrize(
    ("hops", "chain", "believed"),
    [
        (0, "https", "http"),
        (1, "https", "https"),
        (1, "https, http", "http"),
        (2, "https", "http"),
        (2, "https, http", "https"),
    ],
)
def test_the_scheme_is_what_the_outermost_of_our_proxies_saw(
    environment: pytest.MonkeyPatch, hops: int, chain: str, believed: str
) -> None:
    with behind(environment, hops) as client:
        answer = client.get("/who", headers={"X-Forwarded-Proto": chain})

    assert answer.text == f"{PEER} {believed} localhost"


@pytest.mark.parametrize("hops", [0, 1, 2])
@pytest.mark.parametrize(
    "header",
    [
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Port": "666"},
        {"X-Forwarded-Prefix": "/evil"},
        {"Forwarded": f"for={SPOOFED};host=evil.example;proto=https"},
        {"X-Real-IP": SPOOFED},
        {"X-Original-URL": "/metrics"},
        {"X-Rewrite-URL": "/metrics"},
        {"X-HTTP-Method-Override": "DELETE"},
    ],
    ids=str,
)
def test_no_other_header_is_believed(environment: pytest.MonkeyPatch, hops: int, header: dict[str, str]) -> None:
    with behind(environment, hops) as client:
        answer = client.get("/who", headers=header)

    assert answer.text == f"{PEER} http localhost"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("buy.acme.example", 200),
        ("buy.acme.example:443", 200),
        ("BUY.acme.example", 200),
        ("eu.acme.test", 200),
        ("evil.example", 400),
        ("buy.acme.example.evil.example", 400),
        ("evil.example:buy.acme.example", 400),
        ("evil-buy.acme.example", 400),
        ("buy.acme.example@evil.example", 400),
        ("eviacme.test", 400),
        ("buy.acme.example, evil.example", 400),
        ("buy.acme.example/evil", 400),
        ("127.0.0.1", 400),
        ("", 400),
        ("\xff", 400),
        ("[::1", 400),
    ],
)
def test_only_our_names_are_answered(environment: pytest.MonkeyPatch, host: str, status: int) -> None:
    environment.setenv("TRUSTED_HOSTS", "buy.Acme.example, .acme.test")

    with behind(environment, 1) as client:
        page = client.get("/", headers={"Host": host, "X-Forwarded-Host": "buy.acme.example"})
        health = client.get("/healthz", headers={"Host": host})

    assert (page.status_code, health.status_code) == (status, 200)
    assert "evil" not in page.text
