"""How a product's usage is metered: `[products.CODE.usage]` in products.toml."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

from app.config import fields
from app.config.fields import OneOf, TableFaults, WholeNumber, YesOrNo, declare

MAX_GRACE_MINUTES = 20 * 60


class Dimensions(NamedTuple):
    """A list of the API names of a listing's dimensions."""

    def read(self, value: object) -> tuple[str, ...]:
        """Return the names."""
        if not isinstance(value, list) or not all(isinstance(name, str) and 0 < len(name) <= 255 for name in value):
            raise ValueError("it must be a list of names")
        return tuple(value)


class DimensionPairs(NamedTuple):
    """A table of dimensions by dimensions."""

    def read(self, value: object) -> tuple[tuple[str, str], ...]:
        """Return the pairs."""
        if not isinstance(value, dict):
            raise ValueError("it must be a table of names")
        Dimensions().read([*value, *value.values()])
        return tuple(value.items())


@dataclass(frozen=True, kw_only=True)
class UsageRules:
    """How usage of one product is collected and sent."""

    # Each description completes "it must be": the seller reads it in place of a pattern.
    grace_minutes: int = declare(
        WholeNumber(0, MAX_GRACE_MINUTES),
        default=10,
        description=f"how many minutes after its end an hour still takes usage, from 0 to {MAX_GRACE_MINUTES}",
    )
    late_usage: Literal["next-hour", "hold"] = declare(
        OneOf("next-hour", "hold"),
        default="next-hour",
        description="next-hour, which bills usage that comes later in the next hour, or hold, which leaves it to you",
    )
    unit: Literal["decimal", "whole"] = declare(
        OneOf("decimal", "whole"),
        default="decimal",
        description="decimal, or whole, which sends whole units and carries the rest to the next hour",
    )
    last_remainder: Literal["up", "down"] = declare(
        OneOf("up", "down"), default="up", description="up or down: how the last hour of a license is rounded"
    )
    heartbeat: bool = declare(
        YesOrNo(),
        default=False,
        description="true, which sends 0 for hours without usage in each of the dimensions, or false",
    )
    dimensions: tuple[str, ...] = declare(
        Dimensions(), default=(), description="a list of the dimensions that are metered; usage of others is refused"
    )

    included: tuple[tuple[str, str], ...] = declare(
        DimensionPairs(),
        default=(),
        description="a table of the contract's dimensions by the metered ones that they include, "
        'such as { gb_processed = "included_gb" }',
    )

    @property
    def grace(self) -> timedelta:
        """How long after its end an hour still takes items."""
        return timedelta(minutes=self.grace_minutes)


USAGE_FIELDS = fields.declared(UsageRules)


def read(table: object) -> UsageRules:
    """Return the rules.

    Raises:
        TableFaults: a value is refused.
    """
    rules = fields.read_table(UsageRules, table)
    if rules.heartbeat and not rules.dimensions:
        raise TableFaults([("dimensions", "it is not set. heartbeat sends 0 in each of them")])
    return rules
