"""Fixtures for the sandbox's tests: the running servers, boto3 clients, the queue, and strict HTML pages."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.config import Config
from justhtml import JustHTML

from sandbox.example.server import ExampleProduct
from sandbox.server import Sandbox
from tests.support import factories, fake_foyer
from tests.support.ports import free_port

if TYPE_CHECKING:
    from mypy_boto3_marketplace_entitlement import MarketplaceEntitlementServiceClient
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient
    from mypy_boto3_sqs import SQSClient

CreateClient = Callable[..., Any]
OpenPage = Callable[[str], JustHTML]


@pytest.fixture(autouse=True)
def cleared_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the developer's own settings: their proxy, for one, cannot reach this machine's ports."""
    factories.clear_environment(monkeypatch)


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    """The sandbox with the products of `make run`, shared by all tests of this process."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def running_example() -> Iterator[ExampleProduct]:
    with ExampleProduct(secrets=[fake_foyer.NEWER_SECRET, fake_foyer.SECRET], port=free_port()) as example:
        yield example


@pytest.fixture
def example(running_example: ExampleProduct) -> ExampleProduct:
    """The example product, reset to its first tenants and no trouble."""
    running_example.reset()
    return running_example


@pytest.fixture
def create_client(sandbox: Sandbox) -> Iterator[CreateClient]:
    """Create boto3 clients for the sandbox by service name, without retries unless `attempts` says otherwise."""
    clients = []

    def create(service: str, *, attempts: int = 1, **overrides: Any) -> Any:
        client = boto3.client(
            service,  # type: ignore[call-overload]  # the name is a str, not a literal
            **{
                "endpoint_url": sandbox.aws_url,
                "region_name": "us-east-1",
                "aws_access_key_id": "sandbox",
                "aws_secret_access_key": "sandbox",
                "config": Config(retries={"mode": "standard", "total_max_attempts": attempts}),
                **overrides,
            },
        )
        clients.append(client)
        return client

    yield create
    for client in clients:
        client.close()


@pytest.fixture
def metering_client(create_client: CreateClient) -> "MarketplaceMeteringClient":
    """The seller's client that calls ResolveCustomer."""
    client: MarketplaceMeteringClient = create_client("meteringmarketplace")
    return client


@pytest.fixture
def entitlement_client(create_client: CreateClient) -> "MarketplaceEntitlementServiceClient":
    """The seller's client that calls GetEntitlements."""
    client: MarketplaceEntitlementServiceClient = create_client("marketplace-entitlement")
    return client


class QueueReader:
    """Reads the events queue as the seller's worker does."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self.sqs, self.url = sqs, url
        self.receipts: list[str] = []

    def receive(self, **overrides: Any) -> list[Any]:
        """Return the bodies of up to ten messages, which stay in flight until they are deleted."""
        request = {"QueueUrl": self.url, "MaxNumberOfMessages": 10, **overrides}
        messages = self.sqs.receive_message(**request).get("Messages", [])
        self.receipts += [message["ReceiptHandle"] for message in messages]
        return [json.loads(message["Body"]) for message in messages]

    def receive_and_delete_all(self) -> list[Any]:
        """Empty the queue and return the bodies of its messages."""
        bodies: list[Any] = []
        while received := self.receive():
            bodies += received
            self.delete_received()
        return bodies

    def delete_received(self) -> None:
        """Delete every message that was received and not yet deleted."""
        while self.receipts:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=self.receipts.pop())


@pytest.fixture
def queue(sandbox: Sandbox, create_client: CreateClient) -> QueueReader:
    """The events queue, read with an SQS client."""
    return QueueReader(create_client("sqs"), sandbox.queue_url)


@pytest.fixture
def open_page(sandbox: Sandbox) -> OpenPage:
    """Fetch a page of the storefront; HTML with any parse error fails the test."""

    def get(path: str) -> JustHTML:
        response = requests.get(f"{sandbox.storefront_url}{path}", timeout=30)
        response.raise_for_status()
        return JustHTML(response.text, strict=True, sanitize=False)

    return get


def element_attributes(page: JustHTML, selector: str) -> list[dict[str, str]]:
    """Return the attributes of each matching element; an attribute without a value is empty text."""
    return [{name: value or "" for name, value in (element.attrs or {}).items()} for element in page.query(selector)]
