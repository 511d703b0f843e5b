"""Documents: what other programs are told of a purchase, by hand-off and by the read API. This is version 1."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from sqlalchemy import Connection, Row, select
from sqlalchemy.orm import Session

from app import models
from app.aws.get_entitlements import Value
from app.services.purchases import entitlements

VERSION = 1


def spelt(moment: datetime) -> str:
    """Return the moment in UTC as every document spells it, as in 2026-11-23T12:00:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(spelt, when_used="json"),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]


class Document(BaseModel):
    """A part of what is told; a later version may add fields, and takes none away."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Entitlement(Document):
    """One dimension of a contract, as GetEntitlements tells it."""

    dimension: str
    value: Value | None
    expires_at: Moment | None


class Subscription(Document):
    """One purchase on AWS Marketplace. `former_ids` are of those that turned out to be the same one."""

    id: UUID
    former_ids: list[UUID]
    product_code: str
    status: Literal["pending", "active", "ending", "ended", "failed"]
    status_since: Moment | None
    customer_aws_account_id: str | None
    customer_identifier: str | None
    license_arn: str | None
    agreement_id: str | None
    offer_type: str | None
    free_trial: bool | None
    ends_at: Moment | None
    entitlements: list[Entitlement] | None


class Registration(Document):
    """What the buyer answered on the sign-up form."""

    id: UUID
    company: str
    full_name: str
    email: str
    phone: str | None
    notes: str | None
    created_at: Moment
    updated_at: Moment


class Account(Document):
    """Which account the buyer asked for, and which one the product answered with.

    `new`: a new one. `existing`: the one that `existing_account` describes in the buyer's words. `add`: that of the
    subscription with the id `subscription_id`.
    """

    wish: Literal["new", "existing", "add"]
    existing_account: str | None
    subscription_id: UUID | None
    url: str | None
    reference: str | None


@dataclass(frozen=True)
class Told:
    """All that is told of one subscription."""

    subscription: Subscription
    registration: Registration | None
    account: Account


class Contents(Document):
    """What every hand-off carries: the whole, so that a product can act on any of them.

    `sequence` counts the hand-offs of one subscription from 1: what has a lower one is older.
    """

    sequence: int = Field(ge=1)
    subscription: Subscription
    registration: Registration | None
    account: Account


Type = Literal[
    "registration.completed",
    "registration.updated",
    "subscription.pending",
    "subscription.activated",
    "subscription.ending",
    "subscription.ended",
    "subscription.failed",
    "entitlements.changed",
    "license.changed",
]


class Handoff(Document):
    """One event in the life of a subscription, as it is sent to the seller's product."""

    type: Type
    timestamp: Moment
    version: Literal[1]
    data: Contents


def read(database: Connection | Session, subscription_id: UUID) -> Told | None:
    """Return what is told of the subscription as it stands in the caller's transaction; None where there is none."""
    found = _row(database, models.Subscription, models.Subscription.id == subscription_id)
    if found is None:
        return None
    registration = _row(database, models.Registration, models.Registration.subscription_id == subscription_id)
    account = _row(database, models.Account, models.Account.subscription_id == subscription_id)
    return told(found, registration, account)


def told(
    subscription: Row[Any] | models.Subscription,
    registration: Row[Any] | models.Registration | None,
    account: Row[Any] | models.Account | None,
) -> Told:
    """Return what is told of these rows."""
    return Told(
        subscription_of(subscription),
        Registration.model_validate(registration) if registration else None,
        Account(
            **_wish(registration),
            url=account.url if account else None,
            reference=account.reference if account else None,
        ),
    )


def subscription_of(row: Row[Any] | models.Subscription) -> Subscription:
    """Return the subscription's document."""
    fields = {name: getattr(row, name) for name in Subscription.model_fields if name != "entitlements"}
    held = None if row.entitlements is None else [Entitlement.model_validate(one) for one in entitlements.of(row)]
    return Subscription(**fields, entitlements=held)


def _wish(registration: Row[Any] | models.Registration | None) -> dict[str, Any]:
    account = registration.account if registration else "new"
    joined_id = joins(registration) if registration else None
    return {
        "wish": "add" if joined_id else account,
        "existing_account": registration.existing_account if registration and account == "existing" else None,
        "subscription_id": joined_id,
    }


def joins(registration: Row[Any] | models.Registration) -> UUID | None:
    """Return the id of the subscription whose account this one shall join, if it shall join one."""
    return None if registration.account in {"new", "existing"} else UUID(registration.account)


def _row(database: Connection | Session, model: type[models.Base], condition: Any) -> Row[Any] | None:
    return database.execute(select(model.__table__).where(condition)).one_or_none()
