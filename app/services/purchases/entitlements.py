"""Entitlements: what a contract's buyer has paid for, as it is stored with the subscription."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import FunctionElement, Row
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from app.aws.customer import license_id
from app.aws.fields import end_or_none
from app.aws.get_entitlements import AwsEntitlement
from app.config import products
from app.models import UtcDateTime


class LastEnd(FunctionElement[datetime]):
    """`last_end` of a column of stored entitlements, in SQL."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(LastEnd, "sqlite")
def _last_end_on_sqlite(element: LastEnd, compiler: SQLCompiler, **kw: Any) -> str:
    # As SQLAlchemy stores times there: with a blank, six decimals and no zone.
    end, items = "json_extract(value, '$.expires_at')", f"json_each({compiler.process(element.clauses, **kw)})"
    last = f"CASE WHEN count({end}) = count(*) THEN max(strftime('%Y-%m-%d %H:%M:%f000', {end})) END"
    return f"(SELECT {last} FROM {items})"  # noqa: S608  the column is ours


@compiles(LastEnd, "postgresql")
def _last_end_on_postgresql(element: LastEnd, compiler: SQLCompiler, **kw: Any) -> str:
    end, items = "item ->> 'expires_at'", f"json_array_elements({compiler.process(element.clauses, **kw)})"
    last = f"CASE WHEN count({end}) = count(*) THEN max(CAST({end} AS TIMESTAMP WITH TIME ZONE)) END"
    return f"(SELECT {last} FROM {items} AS item)"  # noqa: S608  the column is ours


def exist_for(product_code: str) -> bool:
    """Return whether buyers of the product have entitlements; a product that is paid by use alone has none."""
    product = products.current().get(product_code)
    return product is not None and product.pricing != "subscription"


def load_stored(subscription: Row[Any]) -> list[AwsEntitlement]:
    """Return what GetEntitlements answered last for the subscription's license; nothing before the first call."""
    return parse_stored(subscription.entitlements or [])


def parse_stored(stored: Iterable[Mapping[str, Any]]) -> list[AwsEntitlement]:
    """Return the entitlements of which `to_stored` made this JSON."""
    return [AwsEntitlement(item["dimension"], item["value"], _parse_end(item["expires_at"])) for item in stored]


def _parse_end(text: str | None) -> datetime | None:
    return end_or_none(datetime.fromisoformat(text)) if text else None


def last_end(stored: Iterable[AwsEntitlement]) -> datetime | None:
    """Return when the last of the entitlements ends; None where there is none, or one without an end."""
    ends = [entitlement.expires_at for entitlement in stored]
    return max((end for end in ends if end), default=None) if None not in ends else None


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
