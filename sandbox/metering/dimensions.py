"""The dimensions of the sandbox's products that usage can be metered by, with an example price."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from app.config.products import Product
from sandbox.strict_model import StrictModel


class Dimension(StrictModel):
    """One dimension of a listing: `price` is that of one unit, in US dollars."""

    key: str
    unit: str
    price: Decimal
    # In AWS's catalog, only a dimension with this type can be metered.
    types: tuple[Literal["ExternallyMetered", "Entitled"], ...] = ("ExternallyMetered",)

    @property
    def is_metered(self) -> bool:
        """Whether BatchMeterUsage takes usage of it."""
        return "ExternallyMetered" in self.types


METERED = (
    Dimension(key="gb_processed", unit="GB", price=Decimal("0.08")),
    Dimension(key="api_calls", unit="Requests", price=Decimal("0.0004")),
    Dimension(key="compute_hours", unit="Hours", price=Decimal("0.25")),
    Dimension(key="active_users", unit="Users", price=Decimal(3)),
    Dimension(key="reports", unit="Units", price=Decimal("0.50")),
)
CONTRACT = tuple(
    Dimension(key=key, unit=unit, price=Decimal(0), types=("Entitled",))
    for key, unit in (("seats", "Users"), ("tier", "Units"))
)
INCLUDED = tuple(
    Dimension(key=key, unit=unit, price=Decimal(0), types=("Entitled",))
    for key, unit in (("included_gb", "GB"), ("priority_support", "Units"))
)
BY_PRICING = {"subscription": METERED, "contract": CONTRACT, "contract-with-consumption": (*METERED, *INCLUDED)}


def of_products(products: Iterable[Product]) -> dict[str, tuple[Dimension, ...]]:
    """Return the dimensions of each product by its code."""
    return {product.code: BY_PRICING[product.pricing] for product in products}
