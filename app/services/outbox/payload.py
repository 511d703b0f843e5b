"""Documents: what other programs are told of a purchase, by hand-off and by the read API. This is version 1."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from sqlalchemy import Connection, Row, select
from sqlalchemy.orm import Session

from app import models
from app.aws.get_entitlements import EntitlementValue
from app.services.purchases import entitlements

VERSION = 1


def rfc3339(moment: datetime) -> str:
    """Return the moment in UTC as every document spells it, as in 2026-11-23T12:00:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[
    datetime,
    PlainSerializer(rfc3339, when_used="json"),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]


class PayloadModel(BaseModel):
    """A part of what is told; a later version may add fields, and takes none away."""

    # Other programs know `SubscriptionOut` as `Subscription`.
    model_config = ConfigDict(
        frozen=True, from_attributes=True, model_title_generator=lambda model: model.__name__.removesuffix("Out")
    )


class EntitlementOut(PayloadModel):
    """One dimension of a contract, as GetEntitlements tells it."""

    dimension: str
    value: EntitlementValue | None
    expires_at: Timestamp | None


class SubscriptionOut(PayloadModel):
    """One purchase on AWS Marketplace. `former_ids` are of those that turned out to be the same one."""

    id: UUID
    former_ids: list[UUID]
    product_code: str
    status: Literal["pending", "active", "ending", "ended", "failed"]
    status_since: Timestamp | None
    customer_aws_account_id: str | None
    customer_identifier: str | None
    license_arn: str | None
    agreement_id: str | None
    offer_type: str | None
    free_trial: bool | None
    ends_at: Timestamp | None
    entitlements: list[EntitlementOut] | None


class RegistrationOut(PayloadModel):
    """What the buyer answered on the sign-up form."""

    id: UUID
    company: str
    full_name: str
    email: str
    phone: str | None
    notes: str | None
    created_at: Timestamp
    updated_at: Timestamp


class AccountOut(PayloadModel):
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
class SubscriptionSnapshot:
    """All that is told of one subscription."""

    subscription: SubscriptionOut
    registration: RegistrationOut | None
    account: AccountOut


class Contents(PayloadModel):
    """What every hand-off carries: the whole, so that a product can act on any of them.

    `sequence` counts the hand-offs of one subscription from 1: what has a lower one is older.
    """

    sequence: int = Field(ge=1)
    subscription: SubscriptionOut
    registration: RegistrationOut | None
    account: AccountOut


HandoffType = Literal[
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


class Handoff(PayloadModel):
    """One event in the life of a subscription, as it is sent to the seller's product."""

    type: HandoffType
    timestamp: Timestamp
    version: Literal[1]
    data: Contents


def load(database: Connection | Session, subscription_id: UUID) -> SubscriptionSnapshot | None:
    """Return what is told of the subscription as it stands in the caller's transaction; None where there is none."""
    found = _load_row(database, models.Subscription, models.Subscription.id == subscription_id)
    if found is None:
        return None
    registration = _load_row(database, models.Registration, models.Registration.subscription_id == subscription_id)
    account = _load_row(database, models.Account, models.Account.subscription_id == subscription_id)
    return build(found, registration, account)


def build(
    subscription: Row[Any] | models.Subscription,
    registration: Row[Any] | models.Registration | None,
    account: Row[Any] | models.Account | None,
) -> SubscriptionSnapshot:
    """Return what is told of these rows."""
    return SubscriptionSnapshot(
        build_subscription(subscription),
        RegistrationOut.model_validate(registration) if registration else None,
        AccountOut(
            **_account_request(registration),
            url=account.url if account else None,
            reference=account.reference if account else None,
        ),
    )


def build_subscription(row: Row[Any] | models.Subscription) -> SubscriptionOut:
    """Return the subscription's document."""
    fields = {name: getattr(row, name) for name in SubscriptionOut.model_fields if name != "entitlements"}
    held = (
        None
        if row.entitlements is None
        else [EntitlementOut.model_validate(one) for one in entitlements.load_stored(row)]
    )
    return SubscriptionOut(**fields, entitlements=held)


def _account_request(registration: Row[Any] | models.Registration | None) -> dict[str, Any]:
    account = registration.account if registration else "new"
    joined_id = subscription_to_join(registration) if registration else None
    return {
        "wish": "add" if joined_id else account,
        "existing_account": registration.existing_account if registration and account == "existing" else None,
        "subscription_id": joined_id,
    }


def subscription_to_join(registration: Row[Any] | models.Registration) -> UUID | None:
    """Return the id of the subscription whose account this one shall join, if it shall join one."""
    return None if registration.account in {"new", "existing"} else UUID(registration.account)


def _load_row(database: Connection | Session, model: type[models.Base], condition: Any) -> Row[Any] | None:
    return database.execute(select(model.__table__).where(condition)).one_or_none()
