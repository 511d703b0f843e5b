"""A purchase on its way through the sign-up: resolved by AWS, or pending until AWS answers."""

from dataclasses import dataclass, field
from uuid import UUID

from app.aws.customer import Customer


@dataclass(frozen=True)
class UnverifiedFields:
    """What the browser posted beside the token: unsigned, stored, never trusted."""

    offer_type: str | None = None
    hints: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Landing:
    """A customer whose browser posted a token, and what the browser posted beside it."""

    customer: Customer
    unverified: UnverifiedFields = UnverifiedFields()


@dataclass(frozen=True)
class Resolved:
    """A purchase whose customer AWS has named. Without a subscription's id it is not stored yet."""

    landing: Landing
    subscription_id: UUID | None = None


@dataclass(frozen=True)
class Pending:
    """A purchase whose token AWS has not resolved yet, by the pending token's id."""

    id: UUID
    offer_type: str | None = None
    is_new: bool = field(default=False, compare=False)


Purchase = Resolved | Pending
