"""Builds settings, environments, customers, purchases and form answers for tests."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy.engine import URL, make_url

from app import create_app
from app.aws.customer import Customer
from app.config import fields
from app.config.products import Product
from app.config.settings import SETTINGS, Settings, SettingsError
from app.database import transactions
from app.languages import templates
from app.services.purchases.purchase import Landing, Resolved
from app.services.signup.registrations import Answers
from app.views import template_helpers
from sandbox.gallery import values
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.support import handoff_receiver

PRODUCT_CODE, OTHER_PRODUCT_CODE = "prodcode1234567890", "othercode0987654321"
PRODUCT_CODES = (PRODUCT_CODE, OTHER_PRODUCT_CODE)
PRODUCT_FIELDS: dict[str, Any] = {
    "name": "Acme Insights",
    "pricing": "subscription",
    "sign_in_url": "https://app.acme.example/login",
    "support_email": "help@acme.example",
}
# Each test creates its own application; the compiled templates are the same in all, while this code compiles them.
COMPILERS = (templates, template_helpers)
COMPILED_BY = sha256(b"".join(Path(str(module.__file__)).read_bytes() for module in COMPILERS)).hexdigest()[:12]
TEMPLATE_CACHE = FileSystemBytecodeCache(pattern=f"foyer_{COMPILED_BY}_%s.cache")
# Nothing listens on port 9.
UNREACHABLE_URL = "http://127.0.0.1:9/foyer"
SECRET_KEY = "for-tests-only-0123456789abcdef"
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
TOKEN_FIELD = "x-amzn-marketplace-token"
ANSWERS = values.ANSWERS


def environment(database_url: str, aws_url: str) -> dict[str, str]:
    return {
        "SECRET_KEY": SECRET_KEY,
        "SESSION_COOKIE_SECURE": "false",
        "DATABASE_URL": database_url,
        "PRODUCT_CODE": PRODUCT_CODE,
        "PRODUCT_NAME": PRODUCT_FIELDS["name"],
        "PRODUCT_SIGN_IN_URL": PRODUCT_FIELDS["sign_in_url"],
        "SUPPORT_EMAIL": PRODUCT_FIELDS["support_email"],
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def handoff_environment(url: str) -> dict[str, str]:
    """Return the environment variables to add so that the product receives hand-offs at a URL of this machine."""
    return {
        "PRODUCT_HANDOFF_URL": url,
        "HANDOFF_SECRET": handoff_receiver.SECRET,
        "HANDOFF_ALLOW_PRIVATE": "true",
        "SITE_URL": "https://start.acme.example",
    }


def enable_handoffs(environment: pytest.MonkeyPatch, url: str = UNREACHABLE_URL) -> None:
    """Set the environment so that the product receives hand-offs at a URL of this machine."""
    for name, value in handoff_environment(url).items():
        environment.setenv(name, value)


def enable_handoffs_and_mail(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Enable hand-offs and mail, with no server to receive either."""
    enable_handoffs(environment)
    environment.setenv("MAIL_FROM", "start@acme.example")
    return environment


def use_products_file(environment: pytest.MonkeyPatch, path: Path) -> None:
    """Set the environment so that the products are those of the file, which is read when an app is created."""
    environment.delenv("PRODUCT_CODE", raising=False)
    environment.setenv("PRODUCTS_FILE", str(path))


def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every setting, boto3's variables and the HTTP proxies from the environment."""
    settings_names = {name.upper() for name in SETTINGS} | {f"{name.upper()}_FILE" for name in SETTINGS}
    endpoints = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_MARKETPLACE_METERING", "AWS_ENDPOINT_URL_STS"}
    sources = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}
    files = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}
    proxies = {*PROXY_VARIABLES, "NO_PROXY", "no_proxy"}
    for name in settings_names | endpoints | sources | files | proxies | {"AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"}:
        monkeypatch.delenv(name, raising=False)


def forget_proxies() -> None:
    """Remove the developer's proxies, which reach no server of a test, from the environment of all tests."""
    for name in PROXY_VARIABLES:
        os.environ.pop(name, None)


def settings(**values: Any) -> Settings:
    """Return settings with these values; the others are as in `environment`."""
    defaults = {
        name.lower(): value
        for name, value in environment("sqlite:///foyer.db", "").items()
        if not name.startswith("AWS_")
    }
    accepted, problems = fields.read(Settings, {**defaults, **values})
    if problems:
        raise SettingsError(*(f"{name}: {problem}." for name, problem in problems.items()))
    return Settings(**accepted)


def sqlalchemy_url(url: str) -> URL:
    """Return the URL with the database driver that the project ships."""
    return settings(database_url=url).sqlalchemy_url


def replace_database_name(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def open_app(app: Flask, *, compares_clocks: bool = False) -> Iterator[Flask]:
    """Yield the application in testing mode; close its connections at the end.

    PostgreSQL runs on this machine: unless the application compares the clocks, its clock is ours, however a test
    moves it.
    """
    app.testing = True
    app.jinja_env.bytecode_cache = TEMPLATE_CACHE
    if not compares_clocks:
        app.extensions["clock"].compared = math.inf
    try:
        yield app
    finally:
        app.extensions["aws.resolve_client"].close()
        with app.app_context():
            transactions.current_database().read_engine.dispose()


@contextmanager
def open_app_in(environment: dict[str, str]) -> Iterator[Flask]:
    """Create the application in this environment, for tests that have no `monkeypatch`; yield it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with open_app(create_app()) as app:
            yield app


def products() -> list[Product]:
    """Return the products of `PRODUCT_CODES`."""
    return [Product(code=code, **PRODUCT_FIELDS) for code in PRODUCT_CODES]


def order(**values: Any) -> Order:
    """Return an order at the storefront, with these values."""
    return Order(**{"product_code": PRODUCT_CODE, **values})


def token(sandbox: Sandbox, **values: Any) -> str:
    """Return a registration token for a new purchase."""
    return sandbox.marketplace.mint_token(sandbox.marketplace.buy(order(**values)))


def customer(**values: Any) -> Customer:
    """Return the customer of a new listing, with these values."""
    defaults: dict[str, Any] = {
        "product_code": PRODUCT_CODE,
        "customer_aws_account_id": "012345678901",
        "customer_identifier": None,
        "license_arn": "arn:aws:license-manager::294406891311:license:l-0123456789abcdef",
        "agreement_id": "agmt-4mwg1nevbokzw95eca5797ixs",
    }
    return Customer(**{**defaults, **values})


def landing(**values: Any) -> Landing:
    """Return the landing of a customer with these values."""
    return Landing(customer(**values))


def resolved(**values: Any) -> Resolved:
    """Return a resolved purchase of a customer with these values."""
    return Resolved(landing(**values))


def answers(**values: Any) -> Answers:
    """Return the answers to the sign-up form, with these values."""
    return Answers(**{**ANSWERS, **values})
