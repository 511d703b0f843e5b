"""API clients with tokens, and fixtures that store what they read."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services.api import tokens
from app.services.metering import quantity
from app.services.purchases import subscriptions
from app.services.signup import registrations
from sandbox.server import Sandbox
from tests.support import factories, metered_product
from tests.support.local_server import serve_app
from tests.support.metered_product import MeteredProduct

LICENSE_ARN_PREFIX = "arn:aws:license-manager::294406891311:license:l-"
API_PREFIX = "/api/v1"


def usage_item(**fields: Any) -> dict[str, Any]:
    """Return an item of usage of now, with these fields."""
    now = datetime.now(UTC).isoformat()
    return {"id": "item-1", "dimension": "requests", "quantity": "1.5", "at": now, **fields}


@dataclass
class ApiClient:
    """A client that sends a token."""

    client: FlaskClient
    token_id: UUID
    token: str

    def get(self, path: str, method: str = "GET", **query: Any) -> TestResponse:
        """Request a path of the API."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.open(f"{API_PREFIX}{path}", method=method, query_string=query, headers=headers)

    def report(self, body: Any, content_type: str = "application/json", **headers: str) -> TestResponse:
        """Send a body to `/usage`: bytes and texts as they are, other values as JSON."""
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        return self.client.post(f"{API_PREFIX}/usage", data=data, content_type=content_type, headers=headers)

    def report_item(self, **fields: Any) -> dict[str, Any]:
        """Send one item of usage; return its verdict."""
        [verdict] = self.report([usage_item(**fields)]).get_json()["items"]
        result: dict[str, Any] = verdict
        return result

    def list_items(self, path: str, **query: Any) -> list[Any]:
        """Return a list's items."""
        response = self.get(path, **query)
        assert response.status_code == 200, response.text
        items: list[Any] = response.get_json()["items"]
        return items


CreateSubscription = Callable[..., UUID]
CreateRegistration = Callable[..., UUID]
CreateApiClient = Callable[..., ApiClient]


@pytest.fixture
def create_api_client(app: Flask, client: FlaskClient) -> CreateApiClient:
    """Creates a client whose token is for these products, None being every product, and has these scopes."""

    def create(product_codes: Sequence[str] | None = None, *scopes: str) -> ApiClient:
        with app.app_context():
            token_id, token = tokens.create("crm", product_codes, "operator:alice", scopes or (tokens.READ,))
        return ApiClient(client, token_id, token)

    return create


@pytest.fixture
def api_client(create_api_client: CreateApiClient) -> ApiClient:
    """A client whose token may read every product."""
    return create_api_client()


@pytest.fixture
def sender(create_api_client: CreateApiClient) -> ApiClient:
    """A client whose token may send usage of every product."""
    return create_api_client(None, tokens.WRITE_USAGE)


@pytest.fixture
def create_subscription(app: Flask) -> CreateSubscription:
    """Stores a customer's landing; returns the subscription's id."""

    def land(name: str = "first", **customer: Any) -> UUID:
        with app.app_context():
            return subscriptions.upsert_from_landing(
                factories.landing(license_arn=LICENSE_ARN_PREFIX + name, **customer)
            )

    return land


@pytest.fixture
def create_registration(app: Flask) -> CreateRegistration:
    """Stores a registration; returns its id."""

    def complete(name: str = "first", **answers: Any) -> UUID:
        with app.app_context():
            purchase = factories.resolved(license_arn=LICENSE_ARN_PREFIX + name)
            return registrations.complete(purchase, factories.answers(**answers)).registration_id

    return complete


@dataclass
class UsageSender:
    """A product that sends usage over HTTP, at the sandbox's time."""

    metered: MeteredProduct
    url: str
    token: str

    def post(self, body: list[dict[str, Any]]) -> requests.Response:
        """Send the items; return the response."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.post(f"{self.url}{API_PREFIX}/usage", json=body, headers=headers, timeout=10)

    def send(self, *usage: dict[str, Any]) -> list[dict[str, Any]]:
        """Send the items; return the verdicts."""
        verdicts: list[dict[str, Any]] = self.post(list(usage)).json()["items"]
        assert [verdict["id"] for verdict in verdicts] == [item.get("id") for item in usage]
        return verdicts

    def statuses(self, *usage: dict[str, Any]) -> list[int]:
        """Send the items; return the status of each."""
        return [verdict["status"] for verdict in self.send(*usage)]

    def sums(self) -> dict[datetime, str]:
        """Return the sum of each hour that is stored."""
        return {hour.hour: quantity.to_text(quantity.join(hour.micros, hour.picos)) for hour in self.metered.hours()}


@pytest.fixture
def metered(app: Flask, sandbox: Sandbox) -> Iterator[MeteredProduct]:
    """A product whose usage is metered, at 09:30 on 28 November 2026."""
    with metered_product.open_product(app, sandbox) as product:
        yield product


@pytest.fixture
def usage(app: Flask, metered: MeteredProduct) -> Iterator[UsageSender]:
    """That product, which sends its usage over HTTP."""
    _, token = tokens.create("product", None, "operator:alice", [tokens.WRITE_USAGE])
    with serve_app(app) as url:
        yield UsageSender(metered, url.rstrip("/"), token)
