"""The entitlements of a contract, and their form in GetEntitlements."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from sandbox.strict_model import StrictModel

Pricing = Literal["subscription", "contract", "contract-with-consumption"]
TextValue = Annotated[StrictStr, Field(max_length=255)]
IntegerValue = Annotated[StrictInt, Field(ge=-(2**31), lt=2**31)]
DoubleValue = Annotated[StrictFloat, Field(allow_inf_nan=False)]
Value = StrictBool | IntegerValue | DoubleValue | TextValue

# The contents of each kind of contract until the buyer changes them. Usage-only purchases have no entitlements.
DEFAULT_QUANTITIES: dict[Pricing, dict[str, Value]] = {
    "subscription": {},
    "contract": {"seats": 25, "tier": "standard"},
    "contract-with-consumption": {"included_gb": 500, "priority_support": True},
}
VALUE_MEMBERS = {bool: "BooleanValue", int: "IntegerValue", float: "DoubleValue", str: "StringValue"}


class Quantity(StrictModel):
    """The value of one dimension of a contract."""

    dimension: str = Field(min_length=1, max_length=255)
    value: Value


class Entitlement(Quantity):
    """A quantity with its expiry."""

    expires_at: datetime

    def to_aws(self) -> dict[str, Any]:
        """Return Dimension, Value and ExpirationDate (Unix seconds) as AWS's JSON protocol prints them."""
        return {
            "Dimension": self.dimension,
            "Value": {VALUE_MEMBERS[type(self.value)]: self.value},
            "ExpirationDate": self.expires_at.timestamp(),
        }


def default_quantities(pricing: Pricing) -> list[Quantity]:
    """Return the contents of a new contract of that kind."""
    return [Quantity(dimension=dimension, value=value) for dimension, value in DEFAULT_QUANTITIES[pricing].items()]


def with_expiry(quantities: list[Quantity] | list[Entitlement], expires_at: datetime) -> list[Entitlement]:
    """Return the same quantities with this expiry."""
    return [Entitlement(dimension=q.dimension, value=q.value, expires_at=expires_at) for q in quantities]


def parse_value(text: str, current_value: Value) -> Value:
    """Return the text of a form field as a value of the same type as the current one.

    Raises:
        ValueError: the current value is a number, and the text is not.
    """
    if isinstance(current_value, bool):
        return text.lower() == "true"
    return type(current_value)(text)
