"""Makes what tests are about: settings, customers, purchases and sign-ups."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy.engine import URL, make_url

from app.aws.customer import Customer
from app.config.settings import Settings
from app.database import engine
from app.services.purchases.purchase import Landing, Resolved
from app.services.signup.registrations import Answers
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
# Every test has an application of its own; what a template compiles to is the same in each.
TEMPLATE_CACHE = FileSystemBytecodeCache()
# Nothing listens there.
UNREACHABLE_URL = "http://127.0.0.1:9/foyer"
SECRET_KEY = "for-tests-only-0123456789abcdef"
TOKEN_FIELD = "x-amzn-marketplace-token"
ANSWERS = {
    "company": "Juniper & Lark",
    "full_name": "Ada Lovelace",
    "email": "ada@gmail.com",
    "phone": "+1 (555) 010-0199",
    "notes": "Please call\nafter ten.",
}


def environment(database_url: str, aws_url: str) -> dict[str, str]:
    """Return a seller's environment."""
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
    """Return what the environment has beside, where the product takes hand-offs at that address of this machine."""
    return {
        "PRODUCT_HANDOFF_URL": url,
        "HANDOFF_SECRET": handoff_receiver.SECRET,
        "HANDOFF_ALLOW_PRIVATE": "true",
        "SITE_URL": "https://start.acme.example",
    }


def enable_handoffs(environment: pytest.MonkeyPatch, url: str = UNREACHABLE_URL) -> None:
    """Let the environment's product take hand-offs at that address of this machine."""
    for name, value in handoff_environment(url).items():
        environment.setenv(name, value)


def enable_handoffs_and_mail(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return the environment of a seller who hands off and mails, with nobody there who takes either."""
    enable_handoffs(environment)
    environment.setenv("MAIL_FROM", "start@acme.example")
    return environment


def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every setting, and whatever boto3 would read, out of the environment; and the proxies."""
    ours = {name.upper() for name in Settings.model_fields}
    endpoints = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_MARKETPLACE_METERING", "AWS_ENDPOINT_URL_STS"}
    sources = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}
    files = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}
    proxies = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    proxies |= {name.upper() for name in proxies}
    for name in ours | endpoints | sources | files | proxies | {"AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"}:
        monkeypatch.delenv(name, raising=False)


def settings(**values: Any) -> Settings:
    """Return a seller's settings, those given and the rest as in `environment`."""
    usual = {
        name.lower(): value
        for name, value in environment("sqlite:///foyer.db", "").items()
        if not name.startswith("AWS_")
    }
    return Settings(**{**usual, **values})


def sqlalchemy_url(url: str) -> URL:
    """Return the URL with the driver the project ships."""
    return settings(database_url=url).sqlalchemy_url


def replace_database_name(url: str, name: str) -> str:
    """Return the server's URL with another database's name."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def open_app(app: Flask) -> Iterator[Flask]:
    """Give the application's connections back at the end."""
    app.testing = True
    app.jinja_env.bytecode_cache = TEMPLATE_CACHE
    yield app
    app.extensions["aws.resolve_client"].close()
    with app.app_context():
        engine.current_database().read_engine.dispose()


def order(**values: Any) -> Order:
    """Return an order at the storefront, with the values given."""
    return Order(**{"product_code": PRODUCT_CODE, **values})


def token(sandbox: Sandbox, **values: Any) -> str:
    """Return a registration token for a new purchase."""
    return sandbox.marketplace.mint_token(sandbox.marketplace.buy(order(**values)))


def customer(**values: Any) -> Customer:
    """Return a new-style customer, with the values given."""
    usual: dict[str, Any] = {
        "product_code": PRODUCT_CODE,
        "customer_aws_account_id": "012345678901",
        "customer_identifier": None,
        "license_arn": "arn:aws:license-manager::294406891311:license:l-0123456789abcdef",
        "agreement_id": "agmt-4mwg1nevbokzw95eca5797ixs",
    }
    return Customer(**{**usual, **values})


def landing(**values: Any) -> Landing:
    """Return a customer at the door, with the values given."""
    return Landing(customer(**values))


def resolved(**values: Any) -> Resolved:
    """Return a purchase that AWS has told us about, with the customer's values given."""
    return Resolved(landing(**values))


def answers(**values: Any) -> Answers:
    """Return a sign-up form's answers, with the values given."""
    return Answers(**{**ANSWERS, **values})
