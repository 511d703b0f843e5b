"""Posts many tokens from one address, to an application whose AWS refuses them all."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from app.security import rate_counters
from tests.support import factories
from tests.support.factories import PRODUCT_CODE, TOKEN_FIELD
from tests.support.scripted_aws import AwsResponse, ScriptedAws

OFFICE_ADDRESS, OTHER_ADDRESS = "203.0.113.9", "198.51.100.7"
GOOD = AwsResponse(
    200,
    {"ProductCode": PRODUCT_CODE, "CustomerAWSAccountId": "012345678901", "LicenseArn": "arn:aws:license:1"},
)
INVALID_TOKEN = AwsResponse(400, {"__type": "InvalidTokenException", "message": "Registration token is invalid"})


@contextmanager
def app_with_aws(environment: pytest.MonkeyPatch, aws: ScriptedAws) -> Iterator[Flask]:
    """Yield the application in the seller's environment, with this AWS."""
    environment.setenv("AWS_ENDPOINT_URL", aws.url)
    with factories.open_app(create_app()) as app:
        yield app


@pytest.fixture
def refusing_aws(environment: pytest.MonkeyPatch) -> Iterator[tuple[Flask, ScriptedAws]]:
    """The application, and its AWS, which refuses every token."""
    with ScriptedAws([INVALID_TOKEN]) as aws, app_with_aws(environment, aws) as app:
        yield app, aws


def add_to_count(app: Flask, key: str, window_seconds: int, amount: int) -> None:
    """Add to a rate counter, as that many requests do."""
    with app.app_context():
        for _ in range(amount):
            rate_counters.current().increment(key, window_seconds)


def post_token(app: Flask, token: str, address: str = OFFICE_ADDRESS, forwarded: str | None = None) -> TestResponse:
    """Post the token from a new browser."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return app.test_client().post(
        "/", data={TOKEN_FIELD: token}, headers=headers, environ_base={"REMOTE_ADDR": address}
    )


def post_invalid_tokens(app: Flask, times: int, address: str = OFFICE_ADDRESS) -> list[int]:
    """Post this many different made-up tokens; return the statuses."""
    return [post_token(app, f"made up {address} {number}", address).status_code for number in range(times)]
