"""The payload of a hand-off, parsed after its signature is verified. docs/receiver.md describes every field."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel

AccountWish = Literal["new", "existing", "add"]
SubscriptionStatus = Literal["pending", "active", "ending", "ended", "failed"]
RefusalReason = Literal["not_found", "not_allowed", "already_linked", "confirmation_needed", "not_supported"]

# Unknown fields are ignored, because later versions may add some.


class Entitlement(BaseModel):
    """The value of one dimension of the contract, and its expiry."""

    dimension: str
    value: bool | int | float | str | None
    expires_at: AwareDatetime | None


class Subscription(BaseModel):
    """The subscription with its current status."""

    id: str
    former_ids: list[str]
    product_code: str
    status: SubscriptionStatus
    customer_aws_account_id: str | None
    customer_identifier: str | None
    license_arn: str | None = None
    free_trial: bool | None
    ends_at: AwareDatetime | None
    entitlements: list[Entitlement] | None

    @property
    def customer(self) -> str | None:
        """The AWS account that pays, or the customer identifier if the account is unknown."""
        return self.customer_aws_account_id or self.customer_identifier


class Registration(BaseModel):
    """The person who signed up."""

    id: str
    company: str
    full_name: str
    email: str


class AccountRequest(BaseModel):
    """The account that the buyer wants to use for the subscription."""

    wish: AccountWish
    existing_account: str | None
    subscription_id: str | None


class Payload(BaseModel):
    """Everything that is known at the time of the event."""

    sequence: int
    subscription: Subscription
    registration: Registration | None
    account: AccountRequest


class Handoff(BaseModel):
    """One hand-off: the type of the event, and the state after it."""

    type: str
    timestamp: AwareDatetime
    data: Payload
