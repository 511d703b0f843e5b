"""A hand-off as it arrives, after its signature was verified; docs/receiver.md describes every member."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel

AccountWish = Literal["new", "existing", "add"]
SubscriptionStatus = Literal["pending", "active", "ending", "ended", "failed"]
RefusalReason = Literal["not_found", "not_allowed", "already_linked", "confirmation_needed", "not_supported"]

# Members that a model does not name are ignored: later versions may add some.


class Entitlement(BaseModel):
    """How much of something the contract covers, and until when."""

    dimension: str
    value: bool | int | float | str | None
    expires_at: AwareDatetime | None


class Subscription(BaseModel):
    """Where the subscription stands."""

    id: str
    former_ids: list[str]
    product_code: str
    status: SubscriptionStatus
    customer_aws_account_id: str | None
    customer_identifier: str | None
    free_trial: bool | None
    ends_at: AwareDatetime | None
    entitlements: list[Entitlement] | None

    @property
    def customer(self) -> str | None:
        """Who pays, as AWS names them."""
        return self.customer_aws_account_id or self.customer_identifier


class Registration(BaseModel):
    """Who signed up."""

    id: str
    company: str
    full_name: str
    email: str


class AccountRequest(BaseModel):
    """Which of our accounts the buyer wants the subscription to be in."""

    wish: AccountWish
    existing_account: str | None
    subscription_id: str | None


class Payload(BaseModel):
    """All there is to know by the time of the event."""

    sequence: int
    subscription: Subscription
    registration: Registration | None
    account: AccountRequest


class Handoff(BaseModel):
    """One hand-off: what happened, and everything that is so since."""

    type: str
    timestamp: AwareDatetime
    data: Payload
