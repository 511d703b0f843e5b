"""AWS or the database is down in tests of pages: a buyer goes on meanwhile, and the worker retries."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient

from app import create_app
from tests.support import factories
from tests.support.factories import ANSWERS
from tests.support.page_checks import CheckedClient, csrf_token


def register(client: FlaskClient, **changes: str) -> str:
    """Submit the sign-up form, and return where it redirects to."""
    form = {"csrf_token": csrf_token(client.get("/signup").text), **ANSWERS, **changes}
    return str(client.post("/signup", data=form).location)


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
