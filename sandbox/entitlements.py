"""What a contract entitles its buyer to, and how AWS prints it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

Pricing = Literal["subscription", "contract", "contract-with-consumption"]
TextValue = Annotated[StrictStr, Field(max_length=255)]
IntegerValue = Annotated[StrictInt, Field(ge=-(2**31), lt=2**31)]
DoubleValue = Annotated[StrictFloat, Field(allow_inf_nan=False)]
Value = StrictBool | IntegerValue | DoubleValue | TextValue

# What each kind of contract contains until its buyer changes it. Who pays for usage alone is entitled to nothing.
DEFAULT_QUANTITIES: dict[Pricing, dict[str, Value]] = {
    "subscription": {},
    "contract": {"seats": 25, "tier": "standard"},
    "contract-with-consumption": {"included_gb": 500, "priority_support": True},
}
VALUE_MEMBERS = {bool: "BooleanValue", int: "IntegerValue", float: "DoubleValue", str: "StringValue"}


class Quantity(BaseModel):
    """How much of one dimension a contract contains."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dimension: str = Field(min_length=1, max_length=255)
    value: Value


class Entitlement(Quantity):
    """One dimension of a contract, and until when the buyer has it."""

    expires_at: datetime

    def to_aws(self) -> dict[str, Any]:
        """Return the members that say what and until when, as AWS's json protocol prints them."""
        return {
            "Dimension": self.dimension,
            "Value": {VALUE_MEMBERS[type(self.value)]: self.value},
            "ExpirationDate": self.expires_at.timestamp(),
        }


def default_quantities(pricing: Pricing) -> list[Quantity]:
    """Return what a contract of that kind contains at first."""
    return [Quantity(dimension=dimension, value=value) for dimension, value in DEFAULT_QUANTITIES[pricing].items()]


def with_expiry(quantities: list[Quantity] | list[Entitlement], expires_at: datetime) -> list[Entitlement]:
    """Return what the buyer has until then."""
    return [Entitlement(dimension=each.dimension, value=each.value, expires_at=expires_at) for each in quantities]


def parse_value(text: str, current_value: Value) -> Value:
    """Return what a form field says, as a value of the same type as the one that it is to replace.

    Raises:
        ValueError: it is not a number, where a number is to be replaced.
    """
    if isinstance(current_value, bool):
        return text.lower() == "true"
    return type(current_value)(text)
