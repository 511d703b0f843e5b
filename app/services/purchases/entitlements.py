"""Entitlements: what a contract's buyer has paid for, as it is stored with the subscription."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row

from app.aws.customer import license_id
from app.aws.get_entitlements import AwsEntitlement
from app.config import products
from app.models import Subscription

STORED_ENTITLEMENTS = TypeAdapter(list[AwsEntitlement])


def exist_for(product_code: str) -> bool:
    """Return whether buyers of the product have entitlements; a product that is paid by use alone has none."""
    product = products.current().get(product_code)
    return product is not None and product.pricing != "subscription"


def load_stored(subscription: Subscription | Row[Any]) -> list[AwsEntitlement]:
    """Return what GetEntitlements answered last for the subscription's license; nothing before the first call."""
    return STORED_ENTITLEMENTS.validate_python(subscription.entitlements or [])


def to_stored(fetched: Iterable[AwsEntitlement], license_arn: str | None) -> list[dict[str, Any]]:
    """Return the entitlements of one license as JSON for its row; AWS may have answered for the whole account."""
    return [
        {
            "dimension": entitlement.dimension,
            "value": entitlement.value,
            "expires_at": entitlement.expires_at and entitlement.expires_at.astimezone(UTC).isoformat(),
        }
        for entitlement in fetched
        if not (license_arn and entitlement.license_arn)
        or license_id(entitlement.license_arn) == license_id(license_arn)
    ]


def is_same(first: Iterable[dict[str, Any]], second: Iterable[dict[str, Any]]) -> bool:
    """Return whether two stored lists are equal but for their order, which AWS does not guarantee."""
    return Counter(frozenset(item.items()) for item in first) == Counter(frozenset(item.items()) for item in second)
