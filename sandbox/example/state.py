"""What the product knows of its tenants and their subscriptions, and the JSON file that keeps it across restarts."""

import secrets
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from sandbox import state_file
from sandbox.example.handoffs import Entitlement, SubscriptionStatus

# How a subscription came into its tenant: it made it, the buyer typed which one it is, or Foyer named it.
JoinMethod = Literal["made", "typed", "added"]


class Member(BaseModel):
    """A person who works in a tenant; those who came from Foyer have their registration's id."""

    id: str
    name: str
    email: str


class Tenant(BaseModel):
    """A customer's account in the product."""

    reference: str
    company: str
    slug: str
    members: list[Member]

    def member(self, member_id: object) -> Member | None:
        """Return the member with that id, if there is one."""
        return next((member for member in self.members if member.id == member_id), None)


class StoredSubscription(BaseModel):
    """A subscription as the latest hand-off told of it."""

    id: str
    former_ids: list[str]
    sequence: int
    product_code: str
    customer: str | None
    status: SubscriptionStatus
    free_trial: bool | None
    ends_at: datetime | None
    entitlements: list[Entitlement] | None
    tenant: str | None = None
    joined: JoinMethod | None = None


# Some customers were there before there was a listing: accounts to link a purchase to.
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
    """What outlives a restart."""

    session_key: str = Field(default_factory=secrets.token_hex)
    tenants: list[Tenant] = list(FIRST_TENANTS)
    subscriptions: list[StoredSubscription] = []
    # When each hand-off was taken, by its webhook-id; and when each assertion that was used ends, by its jti.
    taken: dict[str, float] = {}
    used: dict[str, float] = {}

    def tenant(self, reference: object) -> Tenant | None:
        """Return the tenant with that reference, if there is one."""
        return next((tenant for tenant in self.tenants if tenant.reference == reference), None)

    def subscription(self, subscription_id: object) -> StoredSubscription | None:
        """Return the subscription that has that id, or had it before two were found to be one."""
        return next((held for held in self.subscriptions if subscription_id in (held.id, *held.former_ids)), None)


def load(path: Path | None) -> State:
    """Return the state in a file, or that of a product that has just opened.

    Raises:
        SystemExit: the file is there but is not one that the product wrote.
    """
    return state_file.load(State, path, "is not the example product's state. Delete it to start with no tenants.")
