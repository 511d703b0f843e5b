"""What a contract includes: usage up to that amount is not billed, until the entitlement expires.

included = { gb_processed = "included_gb" }     the contract entitles to 100 of included_gb until 31 December

hour 10: used 60    included 60, billed 0
hour 11: used 60    included 40, billed 20
hour 12: used 60    included 0, billed 60
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, String, Uuid, bindparam, select, text

from app.aws.fields import NO_END
from app.config import products
from app.models import Subscription, UsageAllowance, UtcDateTime
from app.services.metering import quantity
from app.services.purchases import entitlements

ALLOWANCES: Any = UsageAllowance.__table__
SELECT_SUBSCRIPTIONS = select(Subscription.__table__).where(
    Subscription.id.in_(bindparam("subscription_ids", type_=Uuid, expanding=True))
)
SELECT_ALLOWANCES = select(ALLOWANCES).where(
    ALLOWANCES.c.meter_key.in_(bindparam("meter_keys", type_=String, expanding=True))
)
UPSERT_ALLOWANCE = text(
    "INSERT INTO usage_allowances (meter_key, dimension, expires_at, micros, picos)"
    " VALUES (:meter_key, :dimension, :expires_at, :micros, :picos)"
    " ON CONFLICT (meter_key, dimension, expires_at) DO UPDATE SET micros = excluded.micros, picos = excluded.picos"
).bindparams(bindparam("expires_at", type_=UtcDateTime))
# Of a license, the contract's dimension, and when the entitlement expires.
AllowanceKey = tuple[str, str, datetime]


class Allowances:
    """The included amounts of the hours that one transaction freezes, and what is used of them."""

    def __init__(self, connection: Connection, hours: Iterable[Row[Any]]) -> None:
        self._connection = connection
        concerned = [hour for hour in hours if _contract_dimension(hour)]
        self._amounts: dict[UUID, Mapping[str, tuple[int, datetime]]] = {}
        self._used: dict[AllowanceKey, int] = {}
        self._changed: set[AllowanceKey] = set()
        if concerned:
            self._load(concerned)

    def _load(self, hours: list[Row[Any]]) -> None:
        ids = list({hour.subscription_id for hour in hours})
        for row in self._connection.execute(SELECT_SUBSCRIPTIONS, {"subscription_ids": ids}):
            self._amounts[row.id] = _amounts(row)
        keys = list({hour.meter_key for hour in hours})
        for row in self._connection.execute(SELECT_ALLOWANCES, {"meter_keys": keys}):
            self._used[row.meter_key, row.dimension, row.expires_at] = quantity.join(row.micros, row.picos)

    def take(self, hour: Row[Any], used: int) -> int:
        """Return how many of the hour's picos the contract includes, and count them as used."""
        dimension = _contract_dimension(hour)
        amount, expires_at = self._amounts.get(hour.subscription_id, {}).get(dimension or "", (0, NO_END))
        if not amount or hour.hour >= expires_at:
            return 0
        key = (hour.meter_key, str(dimension), expires_at)
        before = self._used.get(key, 0)
        included = min(used, max(amount - before, 0))
        self._used[key] = before + included
        self._changed.add(key)
        return included

    def write(self) -> None:
        """Store what is used."""
        rows = [
            {"meter_key": key[0], "dimension": key[1], "expires_at": key[2]}
            | dict(zip(("micros", "picos"), quantity.split(self._used[key]), strict=True))
            for key in sorted(self._changed)
        ]
        if rows:
            self._connection.execute(UPSERT_ALLOWANCE, rows)


def _contract_dimension(hour: Row[Any]) -> str | None:
    return dict(products.usage_rules(hour.product_code).included).get(hour.dimension)


def _amounts(subscription: Row[Any]) -> dict[str, tuple[int, datetime]]:
    """Return the amount of each entitlement and when it expires; one whose value is no number includes nothing."""
    amounts = {}
    for entitlement in entitlements.load_stored(subscription):
        try:
            amount = quantity.parse(
                f"{entitlement.value:.12f}" if isinstance(entitlement.value, float) else str(entitlement.value)
            )
        except ValueError:
            continue
        amounts[entitlement.dimension] = (amount, entitlement.expires_at or NO_END)
    return amounts
