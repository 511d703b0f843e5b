"""The deadline of a request: all its waits for the database share it."""

import socket
import threading
import time
from contextlib import ExitStack

import pytest
from flask import Flask
from sqlalchemy import Connection, text

from app import create_app, deadline
from app.database.transactions import query
from app.errors import DatabaseUnavailable
from tests.support import factories
from tests.support.databases import on_sqlite


@on_sqlite
def test_all_waits_of_a_request_share_one_deadline(app: Flask) -> None:
    seconds: list[float] = []

    @app.get("/waits")
    def wait_twice() -> str:
        seconds.append(deadline.seconds_left())
        seconds.append(deadline.seconds_left())
        return ""

    app.test_client().get("/waits")

    assert deadline.REQUEST_SECONDS >= seconds[0] > seconds[1] > 0
    assert deadline.seconds_left() == deadline.BACKGROUND_SECONDS


def test_hosts_that_never_answer_are_given_up_at_one_deadline() -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        hosts = "&".join(f"host=127.0.0.1:{server.getsockname()[1]}" for server in silent)
        settings = factories.settings(database_url=f"postgresql://nobody@/nothing?{hosts}")
        app = stack.enter_context(factories.open_app(create_app(settings)))
        started = time.monotonic()

        response = app.test_client().get("/readyz")

        assert response.status_code == 503
        assert time.monotonic() - started < 5


def test_result_that_comes_too_late_is_discarded() -> None:
    may_end, discarded = threading.Event(), threading.Event()

    with pytest.raises(TimeoutError):
        deadline.bounded_call(lambda: may_end.wait(10), 0.01, discard=lambda _: discarded.set())
    may_end.set()

    assert discarded.wait(10)


def test_error_of_a_bounded_call_is_raised() -> None:
    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        deadline.bounded_call(fail, 10, discard=lambda _: None)


@query
def select_one(connection: Connection) -> int:
    return int(connection.scalar(text("SELECT 1")) or 0)


def test_unresolvable_host_raises_database_unavailable() -> None:
    settings = factories.settings(database_url="postgresql://nobody@db.invalid/nothing")

    with factories.open_app(create_app(settings)) as app, app.app_context(), pytest.raises(DatabaseUnavailable):
        select_one()
