"""AWS, Redis, the database, or looking up any of their names hangs, alone and together: a page within five seconds."""

import socket
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from sandbox.server import Sandbox
from tests.support import database_proxy, factories, name_lookups
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.name_lookups import NameLookups
from tests.support.scripted_aws import ScriptedAws
from tests.support.token_floods import GOOD

MAX_SECONDS = 5.0


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameLookups]:
    with name_lookups.under_control(monkeypatch) as lookups:
        yield lookups


def named(url: str, name: str) -> str:
    """Return the URL of this machine with a name whose look-up can hang."""
    return url.replace("127.0.0.1", f"{name}.example")


def timed_landing(app: Flask, token: str, client: FlaskClient | None = None) -> tuple[float, TestResponse]:
    started = time.monotonic()
    response = (client or app.test_client()).post("/", data={TOKEN_FIELD: token})
    return time.monotonic() - started, response


def test_landing_ends_in_time_while_aws_and_the_database_hang(
    environment: pytest.MonkeyPatch, database_url: str, sandbox: Sandbox, lookups: NameLookups
) -> None:
    environment.setenv("AWS_ENDPOINT_URL", named(sandbox.aws_url, "aws"))
    with database_proxy.start(database_url) as proxy:
        environment.setenv("DATABASE_URL", proxy.url)
        with factories.open_app(create_app()) as app:
            app.test_client().get("/readyz")
            proxy.hang()
            lookups.hang()

            seconds, response = timed_landing(app, factories.token(sandbox))

            proxy.resume()
            lookups.resume()
    assert response.status_code == 503
    assert "AWS Marketplace is slow to respond" in response.text
    assert seconds < MAX_SECONDS


@on_sqlite
def test_landing_ends_in_time_when_the_lookup_of_aws_begins_to_hang(
    environment: pytest.MonkeyPatch, lookups: NameLookups
) -> None:
    # This AWS closes each connection after its answer, so that each call needs a new one.
    with ScriptedAws([GOOD]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", named(aws.url, "aws"))
        with factories.open_app(create_app()) as app:
            first = [timed_landing(app, f"good {number}")[1].location for number in range(2)]
            lookups.hang()

            seconds, response = timed_landing(app, "another")

            lookups.resume()
    assert [*first, response.location] == ["/signup"] * 3
    assert seconds < MAX_SECONDS


@on_sqlite
def test_landing_ends_soon_while_the_lookup_of_redis_hangs(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, lookups: NameLookups
) -> None:
    environment.setenv("RATELIMIT_STORAGE_URI", "redis://cache.example:6379/0")
    lookups.hang()
    with factories.open_app(create_app()) as app:
        seconds, response = timed_landing(app, factories.token(sandbox))
        next_seconds, _ = timed_landing(app, factories.token(sandbox))

    assert response.location == "/signup"
    assert seconds < 2
    assert next_seconds < 1


@on_postgresql
def test_everything_hangs_and_the_landing_ends_in_time(
    environment: pytest.MonkeyPatch, database_url: str, sandbox: Sandbox, lookups: NameLookups
) -> None:
    with database_proxy.start(database_url) as proxy, socket.create_server(("127.0.0.1", 0)) as silent:
        environment.setenv("AWS_ENDPOINT_URL", named(sandbox.aws_url, "aws"))
        environment.setenv("DATABASE_URL", named(proxy.url, "database"))
        redis_address = f"127.0.0.1:{silent.getsockname()[1]}"
        environment.setenv("RATELIMIT_STORAGE_URI", f"redis://{redis_address}/0?socket_timeout=30")
        with factories.open_app(create_app()) as app:
            lookups.hang()

            seconds, response = timed_landing(app, factories.token(sandbox))

            lookups.resume()
    assert response.status_code == 503
    assert seconds < MAX_SECONDS
