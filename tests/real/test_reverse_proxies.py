"""nginx, Caddy and HAProxy as docs/proxies.md sets them up, with their defaults, in front of Foyer under gunicorn."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from flask import request

from app import create_app
from app.config import products
from app.services.delivery import send_handoff
from app.services.outbox import queue
from app.services.signup import progress
from sandbox.server import Sandbox
from tests.real.reverse_proxies import COMMANDS, example, run_proxy
from tests.support import app_processes, factories, handoff_receiver, longest_values
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, PRODUCT_CODE, TOKEN_FIELD
from tests.support.handoff_receiver import HandoffReceiver, json_reply
from tests.support.local_server import serve_app
from tests.support.page_checks import csrf_token

SETTINGS = {"TRUSTED_PROXIES": "1", "TRUSTED_HOSTS": "localhost", "SESSION_COOKIE_SECURE": "true"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[HandoffReceiver]:
    with handoff_receiver.serve() as running:
        yield running


@pytest.fixture(scope="module")
def served_environment(
    running_sandbox: Sandbox, receiver: HandoffReceiver, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    database = tmp_path_factory.mktemp("proxied") / "foyer.db"
    database.write_bytes(sqlite_template.read_bytes())
    environment = factories.environment(f"sqlite:///{database}", running_sandbox.aws_url)
    return {**environment, **factories.handoff_environment(receiver.url), **SETTINGS}


@pytest.fixture(scope="module")
def gunicorn_url(served_environment: dict[str, str]) -> Iterator[str]:
    with app_processes.run_gunicorn(served_environment) as url:
        yield url


@pytest.fixture(scope="module", params=COMMANDS)
def buyer_of_proxy(
    request: pytest.FixtureRequest, gunicorn_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[requests.Session, str]]:
    """A browser that trusts the proxy's certificate, and the proxy's URL."""
    folder = tmp_path_factory.mktemp(request.param)
    with run_proxy(request.param, folder, gunicorn_url) as (url, certificate), requests.Session() as browser:
        browser.verify = str(certificate)
        browser.trust_env = False
        yield browser, url


def land(browser: requests.Session, url: str, token: str) -> str:
    """Land with the token, and return the form's page."""
    page = browser.post(url, data={TOKEN_FIELD: token})
    assert (page.status_code, page.url) == (200, f"{url}/signup")
    return page.text


def test_longest_answers_survive_the_proxy(buyer_of_proxy: tuple[requests.Session, str], sandbox: Sandbox) -> None:
    browser, url = buyer_of_proxy
    browser.cookies.clear()
    purchase = sandbox.marketplace.buy(factories.order())
    page = land(browser, url, sandbox.marketplace.mint_token(purchase))
    form = {**longest_values.ANSWERS, "csrf_token": csrf_token(page), "email": "not-an-email"}

    for length in (700, 1150, 1250, 1350, 2000):
        notes = longest_values.text(length, longest_values.HAN)
        refused = browser.post(f"{url}/signup", data={**form, "notes": notes})
        assert refused.status_code == 422
        assert notes in land(browser, url, sandbox.marketplace.mint_token(purchase))
    sent = browser.post(f"{url}/signup", data={**form, "notes": notes, "email": "ada@gmail.com"})

    assert (sent.status_code, sent.url) == (200, f"{url}/welcome")


@pytest.mark.parametrize("characters", [longest_values.ID_CHARACTERS, longest_values.ASTRAL], ids=["ascii", "astral"])
def test_longest_account_url_is_entered_through_the_proxy(
    buyer_of_proxy: tuple[requests.Session, str],
    served_environment: dict[str, str],
    receiver: HandoffReceiver,
    sandbox: Sandbox,
    characters: str,
) -> None:
    browser, url = buyer_of_proxy
    browser.cookies.clear()
    account_url = f"https://app.acme.example/{longest_values.text(2048 - 25, characters)}"
    reference = longest_values.text(255, characters)
    page = land(browser, url, factories.token(sandbox))
    browser.post(f"{url}/signup", data={**ANSWERS, "csrf_token": csrf_token(page)})
    receiver.reply = lambda _: json_reply(200, url=account_url, reference=reference)
    deliver_handoffs(served_environment)

    for _ in range(2):
        entered = browser.get(f"{url}/enter", allow_redirects=False)

        assert entered.status_code in {200, 303}
        [target] = re.findall(r'content="0; url=([^"]+)"', entered.text) or [entered.headers.get("Location", "")]
        [sign_in_token] = parse_qs(urlsplit(unescape(target)).query)[progress.QUERY_PARAMETER]
        assert jwt.decode(sign_in_token, options={"verify_signature": False})["reference"] == reference


def deliver_handoffs(environment: dict[str, str]) -> None:
    """Deliver the hand-offs as the worker does."""
    with factories.open_app_in(environment) as app, app.app_context():
        endpoint = products.current().handoff_endpoints[PRODUCT_CODE]
        while claimed := queue.claim(queue.handoff_lane(PRODUCT_CODE)):
            send_handoff.send(endpoint, claimed, allow_private=True)


def test_proxy_hides_metrics_and_shows_readiness(buyer_of_proxy: tuple[requests.Session, str]) -> None:
    browser, url = buyer_of_proxy

    assert browser.get(f"{url}/metrics").status_code == 404
    assert browser.get(f"{url}/readyz").text == "ready\n"


@on_sqlite
@pytest.mark.parametrize("name", COMMANDS)
def test_foyer_sees_the_buyers_address_scheme_and_host(
    environment: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    environment.setenv("TRUSTED_PROXIES", "1")
    environment.setenv("TRUSTED_HOSTS", "localhost")
    with factories.open_app(create_app()) as app:
        app.add_url_rule("/who", view_func=lambda: f"{request.remote_addr} {request.scheme} {request.host}")
        with serve_app(app) as app_url, run_proxy(name, tmp_path, app_url) as (url, certificate):
            spoofed = {"X-Forwarded-For": "192.0.2.66", "X-Forwarded-Proto": "http"}
            seen = requests.get(f"{url}/who", headers=spoofed, verify=str(certificate), timeout=10).text

    assert re.fullmatch(r"127\.0\.0\.1 https localhost(:\d+)?", seen)


@on_sqlite
def test_nginx_that_does_not_keep_the_host_is_in_the_log(
    environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host_line = "proxy_set_header Host $host;"
    assert host_line in example("nginx")
    environment.setenv("TRUSTED_HOSTS", "localhost")
    with (
        factories.open_app(create_app()) as app,
        serve_app(app) as app_url,
        run_proxy("nginx", tmp_path, app_url, lambda text: text.replace(host_line, "")) as (url, certificate),
    ):
        page = requests.post(url, data={TOKEN_FIELD: "token"}, verify=str(certificate), timeout=10)
        ready = requests.get(f"{url}/readyz", verify=str(certificate), timeout=10)

    assert (page.status_code, ready.status_code) == (400, 200)
    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "host.refused" in line]
    assert (line["level"], line["setting"]) == ("warning", "TRUSTED_HOSTS")
    assert line["host"] == urlsplit(app_url).netloc
