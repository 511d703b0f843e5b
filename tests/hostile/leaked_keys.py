"""An application whose secret key was listed as leaked, and a thief's or a buyer's browser at it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import SECRET_KEY, TOKEN_FIELD

NEW_KEY = "the-next-secret-key-of-this-seller"


@contextmanager
def after_leak(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Yield the application with a new key, where the one so far is listed as leaked."""
    environment.setenv("SECRET_KEY", NEW_KEY)
    environment.setenv("SECRET_KEY_LEAKED", SECRET_KEY)
    with factories.open_app(create_app()) as app:
        yield app


def land(browser: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> str:
    """Land, and return the form's page."""
    browser.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    return browser.get("/signup").text


def copy_cookies(source: FlaskClient, app: Flask, *names: str) -> FlaskClient:
    browser = app.test_client()
    for name in names:
        cookie = source.get_cookie(name, domain="localhost")
        assert cookie
        browser.set_cookie(name, cookie.value, domain="localhost")
    return browser
