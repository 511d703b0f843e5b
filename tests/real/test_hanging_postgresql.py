"""Gunicorn on a PostgreSQL whose processes are all stopped: nobody waits for it longer than five seconds."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sandbox.server import Sandbox
from tests.conftest import migrate
from tests.support import app_processes, factories
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.postgresql_server import PostgresqlServer

BUYERS, MAX_SECONDS = 24, 5.0
Sent = tuple[int, float]


@pytest.fixture
def foyer_url(own_server: PostgresqlServer, running_sandbox: Sandbox) -> Iterator[str]:
    url = own_server.create_database("hanging")
    migrate(url)
    with app_processes.run_gunicorn(factories.environment(url, running_sandbox.aws_url)) as foyer_url:
        yield foyer_url
    own_server.execute("DROP DATABASE hanging WITH (FORCE)")


def open_form(url: str, token: str) -> tuple[requests.Session, dict[str, str]]:
    browser = requests.Session()
    page = browser.post(url, data={TOKEN_FIELD: token}, timeout=30)
    return browser, {"csrf_token": csrf_token(page.text), **ANSWERS}


def send(url: str, browser: requests.Session, form: dict[str, str]) -> Sent:
    started = time.monotonic()
    response = browser.post(f"{url}signup", data=form, timeout=30, allow_redirects=False)
    return response.status_code, time.monotonic() - started


def test_no_form_waits_longer_than_five_seconds(foyer_url: str, sandbox: Sandbox, own_server: PostgresqlServer) -> None:
    tokens = [factories.token(sandbox) for _ in range(BUYERS)]
    with ThreadPoolExecutor(BUYERS) as threads:
        forms = list(threads.map(lambda token: open_form(foyer_url, token), tokens))
        with own_server.stopped():
            refused = list(threads.map(lambda form: send(foyer_url, *form), forms))
        sent = list(threads.map(lambda form: send(foyer_url, *form), forms))
    for browser, _ in forms:
        browser.close()

    assert {status for status, _ in refused} == {503}
    assert max(seconds for _, seconds in refused) < MAX_SECONDS
    assert {status for status, _ in sent} == {303}
    assert max(seconds for _, seconds in sent) < MAX_SECONDS
