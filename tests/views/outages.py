"""AWS or the database is down in tests of pages: a buyer goes on meanwhile, and the worker retries."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.services.signup import retry_pending
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import ANSWERS
from tests.support.page_checks import CheckedClient, csrf_token


def set_faults(sandbox: Sandbox, **faults: object) -> None:
    """Switch faults of the sandbox's AWS on or off, and leave the others as they are."""
    sandbox.marketplace.faults = sandbox.marketplace.faults.model_copy(update=faults)


def register(client: FlaskClient, **changes: str) -> str:
    """Submit the sign-up form, and return where it redirects to."""
    form = {"csrf_token": csrf_token(client.get("/signup").text), **ANSWERS, **changes}
    return str(client.post("/signup", data=form).location)


def retry_pending_token(app: Flask, **later: float) -> bool | None:
    """Let the worker resolve one pending token, five seconds or so much later from now."""
    moment = datetime.now(UTC) + timedelta(**(later or {"seconds": 5}))
    with app.app_context(), time_machine.travel(moment):
        return retry_pending.resolve_next()


@contextmanager
def browser_without_database(environment: pytest.MonkeyPatch, client: FlaskClient) -> Iterator[FlaskClient]:
    """The client's browser and session, at an application whose database is unreachable."""
    cookie = client.get_cookie("session", domain="localhost")
    assert cookie
    environment.setenv("DATABASE_URL", "sqlite:////nowhere/foyer.db")
    with factories.open_app(create_app()) as app:
        app.test_client_class = CheckedClient
        browser = app.test_client()
        browser.set_cookie("session", cookie.value, domain="localhost")
        yield browser
