"""A sandbox of its own for these tests, and the two ways into it: boto3 and a browser without a picture."""

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
    """Whoever runs the tests may have a proxy, which knows nothing of this machine's ports."""
    factories.clear_environment(monkeypatch)


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    """The sandbox with the products that `make run` sells."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def running_example() -> Iterator[ExampleProduct]:
    with ExampleProduct(secrets=[fake_foyer.NEWER_SECRET, fake_foyer.SECRET], port=free_port()) as example:
        yield example


@pytest.fixture
def example(running_example: ExampleProduct) -> ExampleProduct:
    """The example product, with its first tenants and no trouble."""
    running_example.reset()
    return running_example


@pytest.fixture
def create_client(sandbox: Sandbox) -> Iterator[CreateClient]:
    """Makes boto3 clients of the sandbox: the service's name, and what differs from a seller who never retries."""
    clients = []

    def make(service: str, *, attempts: int = 1, **differing: Any) -> Any:
        client = boto3.client(
            service,  # type: ignore[call-overload]  # a name is enough here
            **{
                "endpoint_url": sandbox.aws_url,
                "region_name": "us-east-1",
                "aws_access_key_id": "sandbox",
                "aws_secret_access_key": "sandbox",
                "config": Config(retries={"mode": "standard", "total_max_attempts": attempts}),
                **differing,
            },
        )
        clients.append(client)
        return client

    yield make
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
    """The events' queue as the seller's worker reads it."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self.sqs, self.url = sqs, url
        self.receipts: list[str] = []

    def receive(self, **overrides: Any) -> list[Any]:
        """Return what one call receives, as JSON, and leave it in flight."""
        asked = {"QueueUrl": self.url, "MaxNumberOfMessages": 10, **overrides}
        messages = self.sqs.receive_message(**asked).get("Messages", [])
        self.receipts += [message["ReceiptHandle"] for message in messages]
        return [json.loads(message["Body"]) for message in messages]

    def receive_and_delete_all(self) -> list[Any]:
        """Return everything that is in the queue, and delete it."""
        taken: list[Any] = []
        while received := self.receive():
            taken += received
            self.delete_received()
        return taken

    def delete_received(self) -> None:
        """Delete what was received."""
        while self.receipts:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=self.receipts.pop())


@pytest.fixture
def queue(sandbox: Sandbox, create_client: CreateClient) -> QueueReader:
    """The worker's end of the events' queue."""
    return QueueReader(create_client("sqs"), sandbox.queue_url)


@pytest.fixture
def open_page(sandbox: Sandbox) -> OpenPage:
    """Opens a page of the storefront, which has to be strict HTML."""

    def get(path: str) -> JustHTML:
        response = requests.get(f"{sandbox.storefront_url}{path}", timeout=5)
        response.raise_for_status()
        return JustHTML(response.text, strict=True, sanitize=False)

    return get


def element_attributes(page: JustHTML, selector: str) -> list[dict[str, str]]:
    """Return the attributes of each element that the selector finds."""
    return [{name: value or "" for name, value in (found.attrs or {}).items()} for found in page.query(selector)]
