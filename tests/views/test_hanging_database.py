"""A database that hangs: each page has its answer within five seconds, and the next one finds the database well."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.models import Registration, Subscription
from sandbox.server import Sandbox
from tests.support import database_proxy, factories
from tests.support.database_proxy import DatabaseProxy
from tests.support.databases import on_postgresql
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows

MAX_SECONDS = 5.0
PROBES = ("/readyz", "/metrics")


@pytest.fixture
def proxy(database_url: str) -> Iterator[DatabaseProxy]:
    with database_proxy.start(database_url) as proxy:
        yield proxy


@pytest.fixture
def proxied_app(environment: pytest.MonkeyPatch, proxy: DatabaseProxy) -> Iterator[Flask]:
    """The application, with its database behind the proxy."""
    environment.setenv("DATABASE_URL", proxy.url)
    with factories.open_app(create_app()) as app:
        yield app


def timed(request: Callable[[], TestResponse]) -> tuple[float, TestResponse]:
    started = time.monotonic()
    response = request()
    return time.monotonic() - started, response


def timed_probe(app: Flask, path: str) -> tuple[float, TestResponse]:
    return timed(lambda: app.test_client().get(path))


def timed_landing(client: FlaskClient, token: str) -> tuple[float, TestResponse]:
    return timed(lambda: client.post("/", data={TOKEN_FIELD: token}))


def test_form_and_landing_have_an_answer_within_five_seconds(
    proxied_app: Flask, sandbox: Sandbox, proxy: DatabaseProxy
) -> None:
    buyer, next_buyer = proxied_app.test_client(), proxied_app.test_client()
    buyer.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    form = {"csrf_token": csrf_token(buyer.get("/signup").text), **ANSWERS}
    landing = {TOKEN_FIELD: factories.token(sandbox)}
    proxy.hang()

    with ThreadPoolExecutor() as threads:
        sent = threads.submit(timed, lambda: buyer.post("/signup", data=form))
        landed = threads.submit(timed, lambda: next_buyer.post("/", data=landing))
        (form_seconds, refused), (landing_seconds, redirect) = sent.result(), landed.result()

    assert (refused.status_code, redirect.location) == (503, "/signup")
    assert 'value="Ada Lovelace"' in refused.text
    assert max(form_seconds, landing_seconds) < MAX_SECONDS
    proxy.resume()
    assert buyer.post("/signup", data=form).location == "/welcome"
    assert next_buyer.get("/signup").status_code == 200
    assert len(all_rows(proxied_app, Registration)) == 1
    assert len(all_rows(proxied_app, Subscription)) == 2


@on_postgresql
def test_readyz_and_metrics_answer_while_the_database_hangs(proxied_app: Flask, proxy: DatabaseProxy) -> None:
    proxied_app.test_client().get("/readyz")
    proxy.hang()

    with ThreadPoolExecutor() as threads:
        answers = list(threads.map(timed_probe, repeat(proxied_app), PROBES))
    (ready_seconds, ready), (metrics_seconds, metrics) = answers

    assert ready.status_code == 503
    assert "foyer_database_up 0.0" in metrics.text
    assert max(ready_seconds, metrics_seconds) < MAX_SECONDS
    proxy.resume()
    assert proxied_app.test_client().get("/readyz").status_code == 200


@on_postgresql
def test_waiting_for_a_connection_counts_towards_the_five_seconds(
    proxied_app: Flask, sandbox: Sandbox, proxy: DatabaseProxy
) -> None:
    clients: list[FlaskClient] = [proxied_app.test_client() for _ in range(20)]
    clients[0].get("/readyz")
    tokens = [factories.token(sandbox) for _ in clients]
    proxy.hang()

    with ThreadPoolExecutor(len(clients)) as threads:
        answers = list(threads.map(timed_landing, clients, tokens))

    assert {response.location for _, response in answers} == {"/signup"}
    assert max(seconds for seconds, _ in answers) < MAX_SECONDS
    proxy.resume()
