"""A purchase on its way through a sign-up: resolved by AWS, or still pending."""

from dataclasses import dataclass, field
from uuid import UUID

from app.aws.customer import Customer


@dataclass(frozen=True)
class Said:
    """What a browser said beside the token: unsigned, kept, never trusted."""

    offer_type: str | None = None
    hints: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrival:
    """A customer at the door, and what their browser said."""

    customer: Customer
    said: Said = Said()


@dataclass(frozen=True)
class Arrived:
    """A purchase that AWS has told us about. Without a subscription's id it is not on disk yet: it is owed."""

    arrival: Arrival
    subscription_id: UUID | None = None


@dataclass(frozen=True)
class Parked:
    """A purchase that AWS has not told us about yet, by its parked token's id."""

    id: UUID
    offer_type: str | None = None
    is_new: bool = field(default=False, compare=False)


Purchase = Arrived | Parked
