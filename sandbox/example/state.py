"""The product's tenants, subscriptions and usage, saved as a JSON file."""

import secrets
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from sandbox import state_file
from sandbox.example.handoffs import Entitlement, SubscriptionStatus

# How a subscription got its tenant: the tenant was made for it, the buyer typed the account, or Foyer named it.
JoinMethod = Literal["made", "typed", "added"]
# What Foyer accepted, it bills. A refused item would be refused again; a conflict is an id used for something else.
UsageItemState = Literal["unsent", "accepted", "conflict", "refused"]


class Member(BaseModel):
    """A person who works in a tenant. Members from Foyer have the id of their registration."""

    id: str
    name: str
    email: str


class Tenant(BaseModel):
    """A customer's account."""

    reference: str
    company: str
    slug: str
    members: list[Member]

    def member(self, member_id: object) -> Member | None:
        """Return the member with that id, if there is one."""
        return next((member for member in self.members if member.id == member_id), None)


class StoredSubscription(BaseModel):
    """A subscription as of its latest hand-off."""

    id: str
    former_ids: list[str]
    sequence: int
    product_code: str
    customer: str | None
    status: SubscriptionStatus
    free_trial: bool | None
    ends_at: datetime | None
    entitlements: list[Entitlement] | None
    license_arn: str | None = None
    tenant: str | None = None
    joined: JoinMethod | None = None


class UsageItem(BaseModel):
    """Something that a customer used. `id` is ours, and the same however often the item is sent."""

    id: str
    subscription: str
    product_code: str
    # What the invoice goes by: the license's ARN, or the customer of an old-style purchase.
    license: str
    dimension: str
    quantity: str
    at: datetime
    state: UsageItemState = "unsent"
    detail: str | None = None


# Customers from before the listing on AWS Marketplace: accounts that a purchase can be linked to.
FIRST_TENANTS = (
    Tenant(
        reference="quillfeather-7f3k",
        company="Quillfeather Press",
        slug="quillfeather-press",
        members=[
            Member(id="first-1", name="Grace Hopper", email="grace@quillfeather.example"),
            Member(id="first-2", name="Alan Turing", email="alan@quillfeather.example"),
        ],
    ),
    Tenant(
        reference="ostrava-2m9d",
        company="Ostrava Robotics",
        slug="ostrava-robotics",
        members=[Member(id="first-3", name="Karel Čapek", email="karel@ostrava.example")],
    ),
)


class State(BaseModel):
    """The fields of the state file."""

    session_key: str = Field(default_factory=secrets.token_hex)
    tenants: list[Tenant] = list(FIRST_TENANTS)
    subscriptions: list[StoredSubscription] = []
    usage: list[UsageItem] = []
    # `taken`: the time of each applied hand-off, by its webhook-id. `used`: the expiry of each used assertion, by its
    # jti. Both in Unix seconds.
    taken: dict[str, float] = {}
    used: dict[str, float] = {}

    def tenant(self, reference: object) -> Tenant | None:
        """Return the tenant with that reference, if there is one."""
        return next((tenant for tenant in self.tenants if tenant.reference == reference), None)

    def subscription(self, subscription_id: object) -> StoredSubscription | None:
        """Return the subscription with that id, or with that former id from before a merge."""
        return next((s for s in self.subscriptions if subscription_id in (s.id, *s.former_ids)), None)


def load(path: Path | None) -> State:
    """Return the state in a file, or the initial state if there is no file.

    Raises:
        SystemExit: the file exists and is not a state file.
    """
    return state_file.load(
        State, path, "is not the example product's state file. Delete it to start with the first tenants."
    )
