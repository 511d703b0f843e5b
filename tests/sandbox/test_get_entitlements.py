"""GetEntitlements as boto3 sees it."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from sandbox.entitlements import Value
from sandbox.faults import Faults
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.sandbox.test_lives import BOTH, CONTRACT, USAGE, create_purchase

if TYPE_CHECKING:
    from mypy_boto3_marketplace_entitlement import MarketplaceEntitlementServiceClient as Client

NOW = datetime(2026, 11, 23, 9, 30, 15, tzinfo=UTC)


def listed(entitlements: "Client", product: str = CONTRACT, **asked: Any) -> list[Any]:
    return list(entitlements.get_entitlements(ProductCode=product, **asked)["Entitlements"])


def create_contract(sandbox: Sandbox, number: int) -> Purchase:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
    dimensions = [{"dimension": f"dimension {n}", "value": n} for n in range(number)]
    sandbox.marketplace.apply_action(purchase, "change_entitlements", entitlements=dimensions)
    return purchase


def test_the_client_speaks_json_which_is_what_moto_speaks(entitlement_client: "Client") -> None:
    assert entitlement_client.meta.service_model.resolved_protocol == "json"


def test_a_confirmed_contract_entitles_its_buyer_for_a_year(sandbox: Sandbox, entitlement_client: "Client") -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    usual = {
        "ProductCode": CONTRACT,
        "CustomerAWSAccountId": "044455556666",
        "LicenseArn": purchase.license_arn,
        "ExpirationDate": NOW + timedelta(days=365),
    }
    assert listed(entitlement_client) == [
        {**usual, "Dimension": "seats", "Value": {"IntegerValue": 25}},
        {**usual, "Dimension": "tier", "Value": {"StringValue": "standard"}},
    ]


def test_an_old_style_entitlement_names_the_customer_and_no_license(
    sandbox: Sandbox, entitlement_client: "Client"
) -> None:
    purchase = create_purchase(sandbox, BOTH, "old", "confirm")

    entitled = listed(entitlement_client, BOTH)

    assert {each["CustomerIdentifier"] for each in entitled} == {purchase.customer_identifier}
    assert not any("LicenseArn" in each for each in entitled)


def test_each_product_has_its_own_entitlements(sandbox: Sandbox, entitlement_client: "Client") -> None:
    create_purchase(sandbox, CONTRACT, actions="confirm")
    create_purchase(sandbox, BOTH, actions="confirm")

    entitled = {product: listed(entitlement_client, product) for product in (CONTRACT, BOTH)}

    assert [each["Dimension"] for each in entitled[CONTRACT]] == ["seats", "tier"]
    assert [each["Dimension"] for each in entitled[BOTH]] == ["included_gb", "priority_support"]


@pytest.mark.parametrize(("product", "after"), [(USAGE, "confirm"), (CONTRACT, "")])
def test_neither_usage_nor_a_contract_that_is_not_confirmed_entitles(
    sandbox: Sandbox, entitlement_client: "Client", product: str, after: str
) -> None:
    create_purchase(sandbox, product, actions=after)

    assert listed(entitlement_client, product) == []


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (40, {"IntegerValue": 40}),
        (2.5, {"DoubleValue": 2.5}),
        (True, {"BooleanValue": True}),
        ("gold", {"StringValue": "gold"}),
    ],
)
def test_a_changed_entitlement_has_a_value_of_its_type(
    sandbox: Sandbox, entitlement_client: "Client", value: Value, printed: dict[str, Value]
) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    sandbox.marketplace.apply_action(
        purchase, "change_entitlements", entitlements=[{"dimension": "seats", "value": value}]
    )

    assert [(each["Dimension"], each["Value"]) for each in listed(entitlement_client)] == [("seats", printed)]


@pytest.mark.parametrize("style", ["new", "old"])
def test_an_expired_contract_is_still_listed_with_a_date_that_is_past(
    sandbox: Sandbox, entitlement_client: "Client", style: str
) -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT, style, "confirm")

    sandbox.marketplace.apply_action(purchase, "expire")

    entitled = listed(entitlement_client)
    assert [each["Dimension"] for each in entitled] == ["seats", "tier"]
    assert all(each["ExpirationDate"] < datetime.now(UTC) for each in entitled)


def test_a_renewal_moves_the_expiry_and_may_move_the_license(sandbox: Sandbox, entitlement_client: "Client") -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT, actions="confirm")

    sandbox.marketplace.apply_action(purchase, "renew", new_license=True)

    entitled = listed(entitlement_client)
    renewed = sandbox.marketplace.get_purchase(purchase.id)
    assert {each["LicenseArn"] for each in entitled} == {renewed.license_arn} != {purchase.license_arn}
    assert {each["ExpirationDate"] for each in entitled} == {renewed.ends_at}


def test_filters_take_any_of_their_values_and_all_of_them_have_to_match(
    sandbox: Sandbox, entitlement_client: "Client"
) -> None:
    one, two, three = (create_purchase(sandbox, CONTRACT, actions="confirm") for _ in range(3))
    licenses = [str(one.license_arn), str(three.license_arn)]

    entitled = listed(entitlement_client, Filter={"LICENSE_ARN": licenses, "DIMENSION": ["tier"]})

    assert [(each["LicenseArn"], each["Dimension"]) for each in entitled] == [(arn, "tier") for arn in licenses]
    assert two.license_arn not in licenses


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("CUSTOMER_AWS_ACCOUNT_ID", "044455556666", 4),
        ("CUSTOMER_AWS_ACCOUNT_ID", "44455556666", 0),
        ("CUSTOMER_IDENTIFIER", "{identifier}", 2),
        ("LICENSE_ARN", "{license}", 2),
        ("LICENSE_ARN", "aws:license-manager:us-east-1:123456789012:{number}", 0),
        ("DIMENSION", "seats", 2),
    ],
)
def test_each_filter_looks_at_its_member(
    sandbox: Sandbox, entitlement_client: "Client", name: str, value: str, found: int
) -> None:
    new, old = (
        create_purchase(sandbox, CONTRACT, "new", "confirm"),
        create_purchase(sandbox, CONTRACT, "old", "confirm"),
    )
    number = str(new.license_arn).rpartition(":")[2]
    asked = value.format(identifier=old.customer_identifier, license=new.license_arn, number=number)

    entitled = listed(entitlement_client, Filter={name: [asked]})

    assert len(entitled) == found


def test_pages_of_25_follow_one_another(sandbox: Sandbox, entitlement_client: "Client") -> None:
    create_contract(sandbox, 51)

    pages = list(entitlement_client.get_paginator("get_entitlements").paginate(ProductCode=CONTRACT))

    assert [len(page["Entitlements"]) for page in pages] == [25, 25, 1]
    assert [each["Value"] for page in pages for each in page["Entitlements"]] == [
        {"IntegerValue": n} for n in range(51)
    ]


def test_a_page_is_no_longer_than_was_asked_and_the_last_has_no_token(
    sandbox: Sandbox, entitlement_client: "Client"
) -> None:
    create_contract(sandbox, 4)

    first = entitlement_client.get_entitlements(ProductCode=CONTRACT, MaxResults=2)
    last = entitlement_client.get_entitlements(ProductCode=CONTRACT, MaxResults=2, NextToken=first["NextToken"])

    assert len(first["Entitlements"]) == len(last["Entitlements"]) == 2
    assert "NextToken" not in last


def test_the_first_page_can_be_empty_and_have_a_token(sandbox: Sandbox, entitlement_client: "Client") -> None:
    create_purchase(sandbox, CONTRACT, actions="confirm")
    sandbox.marketplace.faults = Faults(empty_page=True)

    first = entitlement_client.get_entitlements(ProductCode=CONTRACT)
    second = entitlement_client.get_entitlements(ProductCode=CONTRACT, NextToken=first["NextToken"])

    assert (len(first["Entitlements"]), len(second["Entitlements"])) == (0, 2)
