"""Entitlements: what a contract's buyer has paid for, as it is kept with the subscription."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from app.aws.get_entitlements import Entitlement, Value
from app.config import products
from app.models import Subscription
from app.services.purchases import keys


@dataclass(frozen=True)
class Held:
    """One dimension of a contract: how much of it, and until when; None where AWS names no end."""

    dimension: str
    value: Value | None
    expires_at: datetime | None

    def expired(self, at: datetime) -> bool:
        """Return whether its time is over at that moment."""
        return self.expires_at is not None and self.expires_at <= at


def are_held(product_code: str) -> bool:
    """Return whether buyers of the product hold entitlements; one that is paid by use alone has none."""
    product = products.current().get(product_code)
    return product is not None and product.pricing != "subscription"


def of(subscription: Subscription | Row[Any]) -> list[Held]:
    """Return what AWS said last; nothing where it has not been asked yet."""
    return [
        Held(stored["dimension"], stored["value"], _moment(stored["expires_at"]))
        for stored in subscription.entitlements or []
    ]


def to_store(found: Iterable[Entitlement], license_arn: str | None) -> list[dict[str, Any]]:
    """Return the entitlements of one license, as they are stored: AWS may have told of the whole account's."""
    own = keys.license_id(license_arn) if license_arn else None
    return [
        {
            "dimension": entitlement.dimension,
            "value": entitlement.value,
            "expires_at": entitlement.expires_at and entitlement.expires_at.astimezone(UTC).isoformat(),
        }
        for entitlement in found
        if not (own and entitlement.license_arn) or keys.license_id(entitlement.license_arn) == own
    ]


def is_same(one: Iterable[dict[str, Any]], other: Iterable[dict[str, Any]]) -> bool:
    """Return whether both are the same as they are stored: AWS promises no order."""
    return _counted(one) == _counted(other)


def _counted(stored: Iterable[dict[str, Any]]) -> Counter[tuple[tuple[str, Any], ...]]:
    return Counter(tuple(sorted(each.items())) for each in stored)


def _moment(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None
