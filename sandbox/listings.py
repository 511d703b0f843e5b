"""The pretend AWS Marketplace Catalog, without HTTP: the seller's listings, each with its dimensions.

https://docs.aws.amazon.com/marketplace/latest/APIReference/API_ListEntities.html and API_DescribeEntity.html beside it.
"""

import json
from collections.abc import Mapping
from typing import Any

from app.config.products import Product
from sandbox import fault_injection
from sandbox.aws_errors import EntityNotFound, InvalidCatalogRequest
from sandbox.marketplace import Marketplace
from sandbox.metering.dimensions import Dimension
from sandbox.purchases import product_id
from sandbox.seller_account import REGION, SELLER_ACCOUNT_ID

CATALOG, ENTITY_TYPE = "AWSMarketplace", "SaaSProduct"
# AWS's largest; so few, that a client which reads one page finds out.
MAX_PAGE_SIZE, PAGE_SIZE = 50, 2
LISTED_AT = "2026-01-05T09:00:00Z"


def list_entities(marketplace: Marketplace, request: Mapping[str, Any], caller_account_id: str) -> dict[str, Any]:
    """Return a page of the listings that the caller's account published.

    Raises:
        AwsError: a parameter is invalid, or a fault is on.
    """
    fault_injection.apply(marketplace, "ListEntities")
    size, start = request.get("MaxResults", PAGE_SIZE), request.get("NextToken", "0")
    _require(request.get("Catalog") == CATALOG, "Catalog")
    _require(request.get("EntityType") == ENTITY_TYPE, "EntityType")
    _require(isinstance(size, int) and 1 <= size <= MAX_PAGE_SIZE, "MaxResults")
    _require(isinstance(start, str) and start.isdecimal(), "NextToken")
    listed = list(marketplace.products.values()) if caller_account_id == SELLER_ACCOUNT_ID else []
    end = int(start) + size
    next_token = {"NextToken": str(end)} if listed[end:] else {}
    return {"EntitySummaryList": [_summarize(product) for product in listed[int(start) : end]], **next_token}


def describe_entity(marketplace: Marketplace, request: Mapping[str, Any], caller_account_id: str) -> dict[str, Any]:
    """Return one listing with its details, which AWS gives as JSON, and as JSON in a text.

    Raises:
        AwsError: there is no such listing of the caller's, or a fault is on.
    """
    fault_injection.apply(marketplace, "DescribeEntity")
    entity_id = request.get("entityId", "")
    _require(request.get("catalog") == CATALOG, "catalog")
    product = next((one for one in marketplace.products.values() if product_id(one.code) == entity_id), None)
    if product is None or caller_account_id != SELLER_ACCOUNT_ID:
        raise EntityNotFound(f"Requested entity '{entity_id}' does not exist.")
    details = {
        "Description": {"ProductTitle": product.name, "ProductCode": product.code, "Visibility": "Public"},
        "Dimensions": [_to_aws(dimension) for dimension in marketplace.dimensions[product.code]],
    }
    return {
        "EntityType": f"{ENTITY_TYPE}@1.0",
        "EntityIdentifier": f"{entity_id}@1",
        "EntityArn": _arn(product),
        "LastModifiedDate": LISTED_AT,
        "Details": json.dumps(details),
        "DetailsDocument": details,
    }


def _require(is_valid: bool, name: str) -> None:
    if not is_valid:
        raise InvalidCatalogRequest(f"The parameter {name} is invalid")


def _arn(product: Product) -> str:
    account = f"arn:aws:aws-marketplace:{REGION}:{SELLER_ACCOUNT_ID}"
    return f"{account}:{CATALOG}/{ENTITY_TYPE}/{product_id(product.code)}"


def _summarize(product: Product) -> dict[str, Any]:
    return {
        "Name": product.name,
        "EntityType": ENTITY_TYPE,
        "EntityId": product_id(product.code),
        "EntityArn": _arn(product),
        "LastModifiedDate": LISTED_AT,
        "Visibility": "Public",
        "SaaSProductSummary": {"ProductTitle": product.name, "Visibility": "Public"},
    }


def _to_aws(dimension: Dimension) -> dict[str, Any]:
    return {
        "Name": dimension.key,
        "Description": dimension.key,
        "Key": dimension.key,
        "Unit": dimension.unit,
        "Types": list(dimension.types),
    }
