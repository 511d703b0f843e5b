"""GetEntitlements as boto3 sees it: contents, filters and pages."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from sandbox.entitlements import Value
from sandbox.faults import Faults
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.sandbox.test_actions import BOTH, CONTRACT, USAGE, create_purchase

if TYPE_CHECKING:
    from mypy_boto3_marketplace_entitlement import MarketplaceEntitlementServiceClient as Client

NOW = datetime(2026, 11, 23, 9, 30, 15, tzinfo=UTC)


def list_entitlements(entitlements: "Client", product: str = CONTRACT, **request: Any) -> list[Any]:
    return list(entitlements.get_entitlements(ProductCode=product, **request)["Entitlements"])


def create_contract(sandbox: Sandbox, number: int) -> Purchase:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
    dimensions = [{"dimension": f"dimension {n}", "value": n} for n in range(number)]
    sandbox.marketplace.apply_action(purchase, "change_entitlements", entitlements=dimensions)
    return purchase


def test_client_speaks_the_json_protocol_that_moto_supports(entitlement_client: "Client") -> None:
    assert entitlement_client.meta.service_model.resolved_protocol == "json"


def test_confirmed_contract_grants_entitlements_for_a_year(sandbox: Sandbox, entitlement_client: "Client") -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    common = {
        "ProductCode": CONTRACT,
        "CustomerAWSAccountId": "044455556666",
        "LicenseArn": purchase.license_arn,
        "ExpirationDate": NOW + timedelta(days=365),
    }
    assert list_entitlements(entitlement_client) == [
        {**common, "Dimension": "seats", "Value": {"IntegerValue": 25}},
        {**common, "Dimension": "tier", "Value": {"StringValue": "standard"}},
    ]


def test_old_style_entitlement_has_an_identifier_and_no_license(sandbox: Sandbox, entitlement_client: "Client") -> None:
    purchase = create_purchase(sandbox, BOTH, "old", "confirm")

    entitlements = list_entitlements(entitlement_client, BOTH)

    assert {item["CustomerIdentifier"] for item in entitlements} == {purchase.customer_identifier}
    assert not any("LicenseArn" in item for item in entitlements)


def test_entitlements_are_listed_per_product(sandbox: Sandbox, entitlement_client: "Client") -> None:
    create_purchase(sandbox, CONTRACT, actions="confirm")
    create_purchase(sandbox, BOTH, actions="confirm")

    entitlements = {product: list_entitlements(entitlement_client, product) for product in (CONTRACT, BOTH)}

    assert [item["Dimension"] for item in entitlements[CONTRACT]] == ["seats", "tier"]
    assert [item["Dimension"] for item in entitlements[BOTH]] == ["included_gb", "priority_support"]


@pytest.mark.parametrize(("product", "after"), [(USAGE, "confirm"), (CONTRACT, "")])
def test_usage_or_unconfirmed_contract_has_no_entitlements(
    sandbox: Sandbox, entitlement_client: "Client", product: str, after: str
) -> None:
    create_purchase(sandbox, product, actions=after)

    assert list_entitlements(entitlement_client, product) == []


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (40, {"IntegerValue": 40}),
        (2.5, {"DoubleValue": 2.5}),
        (True, {"BooleanValue": True}),
        ("gold", {"StringValue": "gold"}),
    ],
)
def test_changed_entitlement_is_printed_with_its_type(
    sandbox: Sandbox, entitlement_client: "Client", value: Value, printed: dict[str, Value]
) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    sandbox.marketplace.apply_action(
        purchase, "change_entitlements", entitlements=[{"dimension": "seats", "value": value}]
    )

    assert [(item["Dimension"], item["Value"]) for item in list_entitlements(entitlement_client)] == [
        ("seats", printed)
    ]


@pytest.mark.parametrize("style", ["new", "old"])
def test_expired_contract_is_listed_with_a_past_date(
    sandbox: Sandbox, entitlement_client: "Client", style: str
) -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT, style, "confirm")

    sandbox.marketplace.apply_action(purchase, "expire")

    entitlements = list_entitlements(entitlement_client)
    assert [item["Dimension"] for item in entitlements] == ["seats", "tier"]
    assert all(item["ExpirationDate"] < datetime.now(UTC) for item in entitlements)


def test_renewal_moves_the_expiry_and_can_replace_the_license(sandbox: Sandbox, entitlement_client: "Client") -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    sandbox.marketplace.apply_action(purchase, "renew", new_license=True)

    entitlements = list_entitlements(entitlement_client)
    renewed = sandbox.marketplace.get_purchase(purchase.id)
    assert {item["LicenseArn"] for item in entitlements} == {renewed.license_arn} != {purchase.license_arn}
    assert {item["ExpirationDate"] for item in entitlements} == {renewed.ends_at}


def test_filters_match_any_of_their_values_and_combine_with_and(sandbox: Sandbox, entitlement_client: "Client") -> None:
    first, second, third = (create_purchase(sandbox, CONTRACT, actions="confirm") for _ in range(3))
    licenses = [str(first.license_arn), str(third.license_arn)]

    entitlements = list_entitlements(entitlement_client, Filter={"LICENSE_ARN": licenses, "DIMENSION": ["tier"]})

    assert [(item["LicenseArn"], item["Dimension"]) for item in entitlements] == [(arn, "tier") for arn in licenses]
    assert second.license_arn not in licenses


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("CUSTOMER_AWS_ACCOUNT_ID", "044455556666", 4),
        ("CUSTOMER_AWS_ACCOUNT_ID", "44455556666", 0),
        ("CUSTOMER_IDENTIFIER", "{identifier}", 2),
        ("LICENSE_ARN", "{license}", 2),
        ("LICENSE_ARN", "aws:license-manager:us-east-1:123456789012:{number}", 0),
        ("DIMENSION", "seats", 2),
    ],
)
def test_filter_compares_its_own_field(
    sandbox: Sandbox, entitlement_client: "Client", name: str, value: str, count: int
) -> None:
    new, old = (
        create_purchase(sandbox, CONTRACT, "new", "confirm"),
        create_purchase(sandbox, CONTRACT, "old", "confirm"),
    )
    number = str(new.license_arn).rpartition(":")[2]
    filter_value = value.format(identifier=old.customer_identifier, license=new.license_arn, number=number)

    entitlements = list_entitlements(entitlement_client, Filter={name: [filter_value]})

    assert len(entitlements) == count


def test_pages_have_25_entitlements_each(sandbox: Sandbox, entitlement_client: "Client") -> None:
    create_contract(sandbox, 51)

    pages = list(entitlement_client.get_paginator("get_entitlements").paginate(ProductCode=CONTRACT))

    assert [len(page["Entitlements"]) for page in pages] == [25, 25, 1]
    assert [item["Value"] for page in pages for item in page["Entitlements"]] == [
        {"IntegerValue": n} for n in range(51)
    ]


def test_page_respects_max_results_and_the_last_has_no_token(sandbox: Sandbox, entitlement_client: "Client") -> None:
    create_contract(sandbox, 4)

    first = entitlement_client.get_entitlements(ProductCode=CONTRACT, MaxResults=2)
    last = entitlement_client.get_entitlements(ProductCode=CONTRACT, MaxResults=2, NextToken=first["NextToken"])

    assert len(first["Entitlements"]) == len(last["Entitlements"]) == 2
    assert "NextToken" not in last


def test_empty_page_fault_returns_a_token_and_no_entitlements(sandbox: Sandbox, entitlement_client: "Client") -> None:
    create_purchase(sandbox, CONTRACT, actions="confirm")
    sandbox.marketplace.faults = Faults(empty_page=True)

    first = entitlement_client.get_entitlements(ProductCode=CONTRACT)
    second = entitlement_client.get_entitlements(ProductCode=CONTRACT, NextToken=first["NextToken"])

    assert (len(first["Entitlements"]), len(second["Entitlements"])) == (0, 2)
