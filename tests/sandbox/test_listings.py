"""The catalog of the sandbox: ListEntities and DescribeEntity, as boto3 calls them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient
from tests.support import factories


@pytest.fixture
def shop() -> Iterator[Sandbox]:
    """A sandbox with its own products."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def catalog(shop: Sandbox, create_client: CreateClient) -> Any:
    return create_client("marketplace-catalog", endpoint_url=shop.aws_url)


def entity_ids(catalog: Any) -> list[str]:
    pages = catalog.get_paginator("list_entities").paginate(Catalog="AWSMarketplace", EntityType="SaaSProduct")
    return [entity["EntityId"] for page in pages for entity in page["EntitySummaryList"]]


def test_listings_come_in_pages(catalog: Any) -> None:
    page = catalog.list_entities(Catalog="AWSMarketplace", EntityType="SaaSProduct")

    assert (len(page["EntitySummaryList"]), len(entity_ids(catalog))) == (2, 3)


def test_details_have_the_product_code_and_the_dimensions(catalog: Any) -> None:
    described = [catalog.describe_entity(Catalog="AWSMarketplace", EntityId=one) for one in entity_ids(catalog)]

    found = [json.loads(entity["Details"]) for entity in described]
    assert found == [entity["DetailsDocument"] for entity in described]
    types = {one["Description"]["ProductCode"]: {d["Key"]: d["Types"] for d in one["Dimensions"]} for one in found}
    assert types["insights1example"]["gb_processed"] == ["ExternallyMetered"]
    assert types["ledger2example"] == {"seats": ["Entitled"], "tier": ["Entitled"]}
    assert types["relay3example"].items() >= {"api_calls": ["ExternallyMetered"], "included_gb": ["Entitled"]}.items()


def test_listing_has_the_product_id_of_its_purchases(shop: Sandbox, catalog: Any) -> None:
    purchase = shop.marketplace.buy(factories.order(product_code="insights1example"))

    assert purchase.product_id == entity_ids(catalog)[0]


@pytest.mark.parametrize(
    ("call", "code", "status"),
    [
        (("list_entities", {"Catalog": "Other", "EntityType": "SaaSProduct"}), "ValidationException", 422),
        (("list_entities", {"Catalog": "AWSMarketplace", "EntityType": "Offer"}), "ValidationException", 422),
        (("describe_entity", {"Catalog": "AWSMarketplace", "EntityId": "prod-0"}), "ResourceNotFoundException", 404),
    ],
)
def test_unknown_entity_or_parameter_is_refused(
    catalog: Any, call: tuple[str, dict[str, str]], code: str, status: int
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(catalog, call[0])(**call[1])

    response = refused.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


def test_catalog_is_refused_where_access_is_denied(shop: Sandbox, catalog: Any) -> None:
    shop.marketplace.faults = Faults(access_denied=True)

    with pytest.raises(ClientError, match="aws-marketplace:ListEntities"):
        entity_ids(catalog)
