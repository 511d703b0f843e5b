"""Floods: many tokens posted from one address, and an AWS that refuses them all."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from tests import factories
from tests.aws.fake import Answer, Fake
from tests.factories import TOKEN

OFFICE, ELSEWHERE = "203.0.113.9", "198.51.100.7"
INVALID = Answer(400, {"__type": "InvalidTokenException", "message": "Registration token is invalid"})


@contextmanager
def facing(environment: pytest.MonkeyPatch, aws: Fake) -> Iterator[Flask]:
    """The application in the seller's environment, with that AWS."""
    environment.setenv("AWS_ENDPOINT_URL", aws.url)
    with factories.running(create_app()) as app:
        yield app


@pytest.fixture
def refusing(environment: pytest.MonkeyPatch) -> Iterator[tuple[Flask, Fake]]:
    """The application, and an AWS that refuses every token."""
    with Fake([INVALID]) as aws, facing(environment, aws) as app:
        yield app, aws


def land(app: Flask, token: str, address: str = OFFICE, forwarded: str | None = None) -> TestResponse:
    """Post the token from a browser of its own."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return app.test_client().post("/", data={TOKEN: token}, headers=headers, environ_base={"REMOTE_ADDR": address})


def flood(app: Flask, times: int, address: str = OFFICE) -> list[int]:
    """Post as many made-up tokens, each another; return the statuses."""
    return [land(app, f"made up {address} {number}", address).status_code for number in range(times)]
