"""Hosts and proxies: exactly TRUSTED_PROXIES hops and the TRUSTED_HOSTS are trusted."""

import json
import re
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
def app_behind(environment: pytest.MonkeyPatch, hops: int) -> Iterator[FlaskClient]:
    """Yield a client of the application behind this many proxies; /who shows the address, scheme and host it sees."""
    environment.setenv("TRUSTED_PROXIES", str(hops))
    with factories.open_app(create_app()) as app:
        app.add_url_rule("/who", view_func=lambda: f"{request.remote_addr} {request.scheme} {request.host}")
        yield app.test_client()


@pytest.mark.parametrize(
    ("hops", "chain", "expected"),
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
def test_remote_address_is_what_the_outermost_trusted_proxy_saw(
    environment: pytest.MonkeyPatch, hops: int, chain: str | None, expected: str
) -> None:
    with app_behind(environment, hops) as client:
        response = client.get("/who", headers={"X-Forwarded-For": chain} if chain else {})

    assert response.text == f"{expected} http localhost"


@pytest.mark.parametrize(
    ("hops", "chain", "expected"),
    [
        (0, "https", "http"),
        (1, "https", "https"),
        (1, "https, http", "http"),
        # One of the two proxies replaced the other's value.
        (2, "https", "https"),
        (2, "http", "http"),
        (2, "https, http", "https"),
        (2, "http, https", "http"),
        (2, "http, https, http", "https"),
        (3, "https,http", "https"),
        (2, "", "http"),
    ],
)
def test_scheme_is_what_the_outermost_trusted_proxy_saw(
    environment: pytest.MonkeyPatch, hops: int, chain: str, expected: str
) -> None:
    with app_behind(environment, hops) as client:
        response = client.get("/who", headers={"X-Forwarded-Proto": chain})

    assert response.text == f"{PEER} {expected} localhost"


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
def test_no_other_forwarding_header_is_trusted(
    environment: pytest.MonkeyPatch, hops: int, header: dict[str, str]
) -> None:
    with app_behind(environment, hops) as client:
        response = client.get("/who", headers=header)

    assert response.text == f"{PEER} http localhost"


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
def test_only_trusted_hosts_are_served(environment: pytest.MonkeyPatch, host: str, status: int) -> None:
    environment.setenv("TRUSTED_HOSTS", "buy.Acme.example, .acme.test")

    with app_behind(environment, 1) as client:
        page = client.get("/", headers={"Host": host, "X-Forwarded-Host": "buy.acme.example"})
        health = client.get("/healthz", headers={"Host": host})

    assert (page.status_code, health.status_code) == (status, 200)
    assert "evil" not in page.text


def test_refused_host_is_logged_and_counted(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("TRUSTED_HOSTS", "buy.acme.example")
    with app_behind(environment, 1) as client:
        count_before = refused_landings(client)

        client.post("/", headers={"Host": "10.0.0.5:8000", "X-Forwarded-Host": "buy.acme.example"})
        client.get("/", headers={"Host": "evil.example\x1b[31m" + "x" * 3000})
        count = refused_landings(client)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "host.refused" in line]
    assert [(line["level"], line["setting"]) for line in lines] == [("warning", "TRUSTED_HOSTS")] * 2
    assert (lines[0]["host"], lines[0]["forwarded_host"]) == ("10.0.0.5:8000", "buy.acme.example")
    assert len(lines[1]["host"]) < 300
    assert "\x1b" not in lines[1]["host"]
    assert count - count_before == 1


def refused_landings(client: FlaskClient) -> float:
    """Return how many landings were refused for their host, by the metrics."""
    metrics = client.get("/metrics").text
    return float(re.findall(r'^foyer_landings_total{outcome="UntrustedHost"} (\S+)$', metrics, re.MULTILINE)[0])
