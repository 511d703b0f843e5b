"""The purchase that a buyer signs up for: resolved by AWS, or still pending."""

from dataclasses import dataclass, field
from uuid import UUID

from app.aws.customer import Customer


@dataclass(frozen=True)
class UnverifiedFields:
    """The form fields that a browser sent beside the token. AWS does not sign them: store them, never trust them."""

    offer_type: str | None = None
    hints: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Landing:
    """A customer that AWS resolved from a buyer's token, and what the buyer's browser sent beside it."""

    customer: Customer
    unverified: UnverifiedFields = UnverifiedFields()


@dataclass(frozen=True)
class Resolved:
    """A purchase that AWS resolved. `subscription_id` is None while the database could not store it yet."""

    landing: Landing
    subscription_id: UUID | None = None

    @property
    def ids(self) -> tuple[UUID | None, UUID | None]:
        """The ids of the subscription and of the pending token, as far as there are any."""
        return self.subscription_id, None


@dataclass(frozen=True)
class Pending:
    """A purchase that AWS could not resolve yet, by the id of its pending token."""

    id: UUID
    offer_type: str | None = None
    is_new: bool = field(default=False, compare=False)

    @property
    def ids(self) -> tuple[UUID | None, UUID | None]:
        """The ids of the subscription and of the pending token, as far as there are any."""
        return None, self.id


Purchase = Resolved | Pending
