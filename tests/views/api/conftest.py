"""Programs of the seller's that read the API."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services.api import tokens
from app.services.purchases import subscriptions
from app.services.signup import registrations
from tests import factories

ARN = "arn:aws:license-manager::294406891311:license:l-"
API = "/api/v1"


@dataclass
class Program:
    """A program that has a token."""

    client: FlaskClient
    token_id: UUID
    token: str

    def get(self, path: str, method: str = "GET", **asked: Any) -> TestResponse:
        """Ask for what is at that path of the API."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.open(f"{API}{path}", method=method, query_string=asked, headers=headers)

    def items(self, path: str, **asked: Any) -> list[Any]:
        """Return a list's items."""
        response = self.get(path, **asked)
        assert response.status_code == 200, response.text
        items: list[Any] = response.get_json()["items"]
        return items


Land = Callable[..., UUID]
SignUp = Callable[..., UUID]
Programs = Callable[..., Program]


@pytest.fixture
def programs(app: Flask, client: FlaskClient) -> Programs:
    """Makes a program that may read these products, or every one."""

    def make(product_codes: Sequence[str] | None = None) -> Program:
        with app.app_context():
            made = tokens.create("crm", product_codes, "operator:alice")
        return Program(client, made.id, made.token)

    return make


@pytest.fixture
def program(programs: Programs) -> Program:
    """A program that may read every product."""
    return programs()


@pytest.fixture
def land(app: Flask) -> Land:
    """Lets a customer come to the door; returns the subscription's id."""

    def arrive(name: str = "first", **customer: Any) -> UUID:
        with app.app_context():
            return subscriptions.arrive(factories.arrival(license_arn=ARN + name, **customer))

    return arrive


@pytest.fixture
def sign_up(app: Flask) -> SignUp:
    """Lets a customer send the sign-up form; returns the registration's id."""

    def complete(name: str = "first", **answers: Any) -> UUID:
        with app.app_context():
            arrived = factories.arrived(license_arn=ARN + name)
            return registrations.complete(arrived, factories.answers(**answers)).registration_id

    return complete
