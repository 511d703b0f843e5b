"""ResolveCustomer as boto3 sees it, with no fault switched on."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import time_machine

from sandbox.faults import Faults
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

NEW = Order(product_code="insights1example", account_id="044455556666")
OLD = Order(product_code="insights1example", account_id="044455556666", style="old")


def resolved_fields(metering: "MarketplaceMeteringClient", token: str) -> dict[str, Any]:
    return {name: value for name, value in metering.resolve_customer(RegistrationToken=token).items() if name[0] != "R"}


def test_new_style_purchase_has_a_license_and_an_empty_identifier(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient"
) -> None:
    purchase = sandbox.marketplace.buy(NEW)

    customer = resolved_fields(metering_client, sandbox.marketplace.mint_token(purchase))

    assert customer == {
        "CustomerIdentifier": "",
        "ProductCode": "insights1example",
        "CustomerAWSAccountId": "044455556666",
        "LicenseArn": purchase.license_arn,
        "Metadata": {"AgreementId": purchase.agreement_id},
    }


def test_new_style_response_can_omit_the_identifier(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient"
) -> None:
    sandbox.marketplace.faults = Faults(no_customer_identifier=True)

    new = resolved_fields(metering_client, sandbox.marketplace.mint_token(sandbox.marketplace.buy(NEW)))
    old = resolved_fields(metering_client, sandbox.marketplace.mint_token(sandbox.marketplace.buy(OLD)))

    assert "CustomerIdentifier" not in new
    assert old["CustomerIdentifier"]


def test_old_style_purchase_has_an_identifier_and_no_license(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient"
) -> None:
    purchase = sandbox.marketplace.buy(OLD)

    customer = resolved_fields(metering_client, sandbox.marketplace.mint_token(purchase))

    assert customer == {
        "CustomerIdentifier": purchase.customer_identifier,
        "ProductCode": "insights1example",
        "CustomerAWSAccountId": "044455556666",
    }


def test_second_purchase_has_its_own_license_and_agreement(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient"
) -> None:
    first, second = sandbox.marketplace.buy(NEW), sandbox.marketplace.buy(NEW)

    first_customer, second_customer = (
        resolved_fields(metering_client, sandbox.marketplace.mint_token(purchase)) for purchase in (first, second)
    )

    assert first_customer["CustomerAWSAccountId"] == second_customer["CustomerAWSAccountId"]
    assert first_customer["LicenseArn"] != second_customer["LicenseArn"]
    assert first_customer["Metadata"] != second_customer["Metadata"]


def test_second_old_style_purchase_keeps_the_identifier(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient"
) -> None:
    first, second = sandbox.marketplace.buy(OLD), sandbox.marketplace.buy(OLD)

    first_customer, second_customer = (
        resolved_fields(metering_client, sandbox.marketplace.mint_token(purchase)) for purchase in (first, second)
    )

    assert first_customer == second_customer


def test_token_resolves_repeatedly_for_four_hours(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient"
) -> None:
    purchase = sandbox.marketplace.buy(NEW)
    token = sandbox.marketplace.mint_token(purchase)
    now = datetime.now(UTC)

    at_once = resolved_fields(metering_client, token)
    with time_machine.travel(now + timedelta(hours=3, minutes=59)):
        later = resolved_fields(metering_client, token)

    assert at_once == later


def test_role_in_the_seller_account_can_resolve(sandbox: Sandbox, create_client: CreateClient) -> None:
    token = sandbox.marketplace.mint_token(sandbox.marketplace.buy(NEW))
    assumed = create_client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/foyer", RoleSessionName="foyer")

    customer = resolved_fields(create_client("meteringmarketplace", **session_credentials(assumed)), token)

    assert customer["CustomerAWSAccountId"] == "044455556666"


def test_sts_on_the_same_endpoint_returns_the_seller_account(create_client: CreateClient) -> None:
    account = create_client("sts").get_caller_identity()["Account"]

    assert account == "123456789012"


def session_credentials(assumed: Any) -> dict[str, str]:
    return {
        "aws_access_key_id": assumed["Credentials"]["AccessKeyId"],
        "aws_secret_access_key": assumed["Credentials"]["SecretAccessKey"],
        "aws_session_token": assumed["Credentials"]["SessionToken"],
    }
