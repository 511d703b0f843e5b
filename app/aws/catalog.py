"""Reads the dimensions of the seller's listings from the AWS Marketplace Catalog, for `doctor`.

Follows https://docs.aws.amazon.com/marketplace/latest/APIReference/API_ListEntities.html and API_DescribeEntity.html
beside it. What a listing's details have is shown in API_BatchDescribeEntities.html there. Each member may be missing:
then this says that the details could not be read.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from app import errors
from app.aws import clients, setup_checks
from app.errors import MarketplaceError

CATALOG, ENTITY_TYPE = "AWSMarketplace", "SaaSProduct"
# Of one listing: another may be readable.
SKIPPED_CODES = {"AccessDeniedException", "ResourceNotFoundException", "ResourceNotSupportedException"}


class CatalogAccessDenied(MarketplaceError):
    """The seller's AWS credentials may not read the listings."""


@dataclass(frozen=True)
class ListedDimension:
    """A dimension of a listing by its API name; `types` is empty where the details have none."""

    key: str
    types: frozenset[str] = frozenset()


@dataclass
class Listings:
    """The listings of the products by their codes, each with its dimensions; None: they could not be read."""

    dimensions: dict[str, tuple[ListedDimension, ...] | None] = field(default_factory=dict)
    # How many listings have been read, those of other products included.
    count: int = 0


def read_listings(product_codes: Collection[str]) -> Listings:
    """Return the listings with these product codes; those that were not found are missing.

    Raises:
        CatalogAccessDenied: the credentials may not list them, or may not read one, and a product's was not found.
        CredentialsRefused, SetupInvalid, Throttled, MarketplaceUnavailable: they could not be read.
    """
    listings, refusal = Listings(), None
    with setup_checks.translate_setup_errors(CatalogAccessDenied, errors.MarketplaceUnavailable):
        catalog = clients.current().catalog()
        for entity_id in _entity_ids(catalog):
            try:
                response = catalog.describe_entity(Catalog=CATALOG, EntityId=entity_id)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in SKIPPED_CODES:
                    raise
                refusal = error
                continue
            listings.count += 1
            details = _details(response)
            code = _product_code(details)
            if code in product_codes:
                listings.dimensions[code] = _dimensions(details)
            if len(listings.dimensions) == len(product_codes):
                return listings
        if refusal:
            raise refusal
    return listings


def _entity_ids(catalog: Any) -> Iterator[str]:
    pages = catalog.get_paginator("list_entities").paginate(Catalog=CATALOG, EntityType=ENTITY_TYPE)
    for page in pages:
        for entity in page.get("EntitySummaryList", []):
            if entity_id := entity.get("EntityId"):
                yield entity_id


def _details(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the details, which AWS sends as JSON in a text, as JSON, or as both."""
    details = response.get("DetailsDocument")
    if not isinstance(details, dict) or not details:
        try:
            details = json.loads(response.get("Details") or "{}")
        except ValueError:
            details = {}
    return details if isinstance(details, dict) else {}


def _product_code(details: Mapping[str, Any]) -> str:
    description = details.get("Description")
    inner = description.get("ProductCode") if isinstance(description, dict) else None
    return str(inner or details.get("ProductCode") or "")


def _dimensions(details: Mapping[str, Any]) -> tuple[ListedDimension, ...] | None:
    listed = details.get("Dimensions")
    if not isinstance(listed, list) or not all(
        isinstance(one, dict) and isinstance(one.get("Key"), str) for one in listed
    ):
        return None
    return tuple(ListedDimension(one["Key"], _types(one.get("Types"))) for one in listed)


def _types(value: object) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset()
