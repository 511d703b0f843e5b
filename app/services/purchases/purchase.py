"""A purchase on its way through a sign-up: resolved by AWS, or still pending."""

from dataclasses import dataclass, field
from uuid import UUID

from app.aws.customer import Customer


@dataclass(frozen=True)
class UnverifiedFields:
    """What a browser said beside the token: unsigned, kept, never trusted."""

    offer_type: str | None = None
    hints: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Landing:
    """A customer at the door, and what their browser said."""

    customer: Customer
    unverified: UnverifiedFields = UnverifiedFields()


@dataclass(frozen=True)
class Resolved:
    """A purchase that AWS has told us about. Without a subscription's id it is not on disk yet: it is owed."""

    landing: Landing
    subscription_id: UUID | None = None


@dataclass(frozen=True)
class Pending:
    """A purchase that AWS has not told us about yet, by its parked token's id."""

    id: UUID
    offer_type: str | None = None
    is_new: bool = field(default=False, compare=False)


Purchase = Resolved | Pending
