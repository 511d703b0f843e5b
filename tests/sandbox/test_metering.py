"""Usage records: the sandbox refuses them in words, whatever it sold."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.purchases import Order, Purchase
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

PRODUCT_CODE = "insights1example"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def refusal(client: "MarketplaceMeteringClient", operation: str, **request: Any) -> tuple[str, int, str, int]:
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**request)
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    return error["Code"], metadata["HTTPStatusCode"], error["Message"], metadata["RetryAttempts"]


def new_form(purchase: Purchase) -> dict[str, Any]:
    record = {"CustomerAWSAccountId": purchase.account_id, "LicenseArn": purchase.license_arn}
    return {"UsageRecords": [{"Timestamp": NOW, "Dimension": "events", "Quantity": 1, **record}]}


def old_form(purchase: Purchase) -> dict[str, Any]:
    record = {"CustomerIdentifier": purchase.customer_identifier, "Timestamp": NOW, "Dimension": "events"}
    return {"ProductCode": PRODUCT_CODE, "UsageRecords": [{"Quantity": 1, **record}]}


@pytest.mark.parametrize(("style", "form"), [("new", new_form), ("old", old_form)])
def test_usage_records_of_a_sold_purchase_are_refused_in_words(
    sandbox: Sandbox, create_client: CreateClient, style: Any, form: Any
) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE, style=style))
    sandbox.marketplace.apply_action(purchase, "confirm")

    client = create_client("meteringmarketplace", attempts=3)
    code, status, message, retries = refusal(client, "batch_meter_usage", **form(purchase))

    assert (code, status, retries) == ("DisabledApiException", 400, 0)
    assert "The sandbox does not meter usage yet" in message


@pytest.mark.parametrize(
    ("operation", "request_fields"),
    [
        ("meter_usage", {"ProductCode": PRODUCT_CODE, "Timestamp": NOW, "UsageDimension": "events"}),
        ("register_usage", {"ProductCode": PRODUCT_CODE, "PublicKeyVersion": 1}),
    ],
)
def test_other_metering_calls_are_refused_in_words(
    metering_client: "MarketplaceMeteringClient", operation: str, request_fields: dict[str, Any]
) -> None:
    code, status, message, _ = refusal(metering_client, operation, **request_fields)

    assert (code, status) == ("DisabledApiException", 400)
    assert "The sandbox does not meter usage yet" in message
