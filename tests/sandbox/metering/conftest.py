"""A purchase whose usage can be metered, at a time that the tests choose, and calls as boto3 and curl make them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from sandbox.purchases import Order, Purchase
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient

USAGE, CONTRACT, BOTH = "insights1example", "ledger2example", "relay3example"
BOUGHT_AT = datetime(2026, 11, 27, 9, 40, 12, 345678, tzinfo=UTC)
NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)

Records = list[dict[str, Any]]


class Meter:
    """The seller of the sandbox's products, whose purchases were all made a day before `NOW`."""

    def __init__(self, sandbox: Sandbox, create_client: CreateClient) -> None:
        self.sandbox, self._create_client = sandbox, create_client
        self.set_clock(BOUGHT_AT)

    def set_clock(self, at: datetime) -> None:
        self.sandbox.marketplace.clock.set(at, stopped=True)

    def buy(self, product_code: str = USAGE, *, style: Any = "new", actions: str = "confirm", **order: Any) -> Purchase:
        purchase = self.sandbox.marketplace.buy(Order(product_code=product_code, style=style, **order))
        for action in actions.split():
            self.sandbox.marketplace.apply_action(purchase, action)
        return self.sandbox.marketplace.get_purchase(purchase.id)

    def send(self, *records: dict[str, Any], region: str = "us-east-1", attempts: int = 1, **request: Any) -> Any:
        client = self._create_client("meteringmarketplace", region_name=region, attempts=attempts)
        return client.batch_meter_usage(UsageRecords=list(records), **request)

    def statuses(self, *records: dict[str, Any], **request: Any) -> list[str]:
        """Return the status of each record, in the order they were sent."""
        results = self.send(*records, **request)["Results"]
        return [
            next(result["Status"] for result in results if result["UsageRecord"] == cut_to_milliseconds(record))
            for record in records
        ]

    def refusal(self, *records: dict[str, Any], **request: Any) -> str:
        """Return AWS's code, and assert that nothing was billed."""
        before = self.sandbox.marketplace.usage.ledger.records
        with pytest.raises(ClientError) as caught:
            self.send(*records, **request)
        assert self.sandbox.marketplace.usage.ledger.records == before
        return str(caught.value.response["Error"]["Code"])

    def post(self, body: object) -> requests.Response:
        """Send a body that boto3 would not: text is sent as it is."""
        credential = "AWS4-HMAC-SHA256 Credential=sandbox/20261128/us-east-1/aws-marketplace/aws4_request"
        headers = {
            "X-Amz-Target": "AWSMPMeteringService.BatchMeterUsage",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": f"{credential}, SignedHeaders=host, Signature=00",
        }
        text = body if isinstance(body, str) else json.dumps(body)
        return requests.post(self.sandbox.aws_url, text.encode(), headers=headers, timeout=30)

    def quantities(self) -> list[str]:
        """Return the billed quantities, in the order they were booked."""
        return [str(record.quantity) for record in self.sandbox.marketplace.usage.ledger.records]


@pytest.fixture
def meter(sandbox: Sandbox, create_client: CreateClient) -> Meter:
    return Meter(sandbox, create_client)


def record(purchase: Purchase, at: datetime = NOW - timedelta(hours=2), **members: Any) -> dict[str, Any]:
    """Return a usage record in the license form; a member that is None is left out."""
    default_members = {
        "CustomerAWSAccountId": purchase.account_id,
        "LicenseArn": purchase.license_arn,
        "Timestamp": at,
        "Dimension": "gb_processed",
        "QuantityAsDecimal": "1.5",
    }
    return {name: value for name, value in {**default_members, **members}.items() if value is not None}


def by_identifier(purchase: Purchase, **members: Any) -> dict[str, Any]:
    """Return a usage record of the product form that names the customer identifier."""
    named = {"CustomerIdentifier": purchase.customer_identifier, "CustomerAWSAccountId": None}
    return record(purchase, **{**named, "LicenseArn": None, **members})


def by_account(purchase: Purchase, **members: Any) -> dict[str, Any]:
    """Return a usage record of the product form that names the account."""
    return record(purchase, **{"LicenseArn": None, **members})


def cut_to_milliseconds(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record as AWS repeats it."""
    at: datetime = record["Timestamp"]
    return {**record, "Timestamp": at.replace(microsecond=at.microsecond // 1000 * 1000)}


MakeRecord = Callable[..., dict[str, Any]]
