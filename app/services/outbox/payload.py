"""The payload: what other programs read about a subscription, in a hand-off and in the API. This is version 1.

The names and docstrings of the parts are public: docs/handoff.schema.json is made from them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, Self
from uuid import UUID

from sqlalchemy import Connection, Row, Uuid, bindparam, select

from app import models
from app.aws.get_entitlements import EntitlementValue
from app.languages.table import ENGLISH
from app.services.outbox.account_reply import AccountReply
from app.services.outbox.payload_part import PayloadPart, SchemaKeywords
from app.services.purchases import account_request, entitlements

VERSION = 1
LOADED_ID = bindparam("loaded_id", type_=Uuid)
SELECT_PARTS = (
    select(models.Subscription.__table__).where(models.Subscription.id == LOADED_ID),
    select(models.Registration.__table__).where(models.Registration.subscription_id == LOADED_ID),
    select(models.Account.__table__).where(models.Account.subscription_id == LOADED_ID),
)


class HandoffType(StrEnum):
    """What happened to a subscription, in the order of the table in docs/receiver.md."""

    REGISTRATION_COMPLETED = "registration.completed"
    REGISTRATION_UPDATED = "registration.updated"
    SUBSCRIPTION_PENDING = "subscription.pending"
    SUBSCRIPTION_ACTIVATED = "subscription.activated"
    SUBSCRIPTION_ENDING = "subscription.ending"
    SUBSCRIPTION_ENDED = "subscription.ended"
    SUBSCRIPTION_FAILED = "subscription.failed"
    ENTITLEMENTS_CHANGED = "entitlements.changed"
    LICENSE_CHANGED = "license.changed"
    USAGE_REFUSED = "usage.refused"


@dataclass(frozen=True)
class Entitlement(PayloadPart):
    """One dimension of a contract, as GetEntitlements tells it."""

    dimension: str
    value: EntitlementValue | None
    expires_at: datetime | None


@dataclass(frozen=True)
class Subscription(PayloadPart):
    """One purchase on AWS Marketplace. `former_ids` are of those that turned out to be the same one."""

    id: UUID
    former_ids: list[UUID]
    product_code: str
    status: Literal["pending", "active", "ending", "ended", "failed"]
    status_since: datetime | None
    customer_aws_account_id: str | None
    customer_identifier: str | None
    license_arn: str | None
    agreement_id: str | None
    offer_type: str | None
    free_trial: bool | None
    ends_at: datetime | None
    # Null until AWS has been asked for them.
    entitlements: list[Entitlement] | None


@dataclass(frozen=True)
class Answer(PayloadPart):
    """The answer to a question of the seller's own. `label` is the question as it was asked.

    `value` is a list for the type `choices`, true or false for `consent`, and text for all others: of a `number` its
    digits, of a `country` its code. `text` is what the buyer saw of it.
    """

    id: str
    label: str
    type: Literal["text", "long_text", "choice", "choices", "consent", "email", "url", "number", "country"]
    value: str | list[str] | bool
    text: str


@dataclass(frozen=True)
class Registration(PayloadPart):
    """What the buyer answered on the sign-up form; in `answers`, to the questions that the seller added to it.

    `language` is that of the form (BCP 47).
    """

    id: UUID
    company: str
    full_name: str
    email: str
    phone: str | None
    notes: str | None
    created_at: datetime
    updated_at: datetime
    language: str = ENGLISH.code
    answers: list[Answer] = field(default_factory=list)

    @classmethod
    def from_row(cls, row: Row[Any], **values: object) -> Self:
        """Return the registration of the row; one without a language is of the time when the form was English only."""
        answers = [Answer(**answer) for answer in row.answers or []]
        return super().from_row(row, language=row.language or ENGLISH.code, answers=answers, **values)


@dataclass(frozen=True)
class Account(PayloadPart):
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
class UnbilledHour(PayloadPart):
    """An hour of usage that Foyer has not billed and cannot bill.

    `conflict`: AWS has another quantity for the hour, which Foyer did not send. `refused`: AWS does not take it, for
    the reason in `code`. `expired`: it could not be sent in time. `hour` is its start, `quantity` a decimal number;
    `items` are the product's own ids of its items, at most 100 of them.
    """

    id: UUID
    hour: datetime
    license_arn: str | None
    dimension: str
    quantity: str
    state: Literal["conflict", "refused", "expired"]
    code: str
    items: list[str]


@dataclass(frozen=True)
class SubscriptionSnapshot(PayloadPart):
    """One subscription with its registration and account, as they are in one transaction."""

    subscription: Subscription
    registration: Registration | None
    account: Account


@dataclass(frozen=True)
class Contents(PayloadPart):
    """What every hand-off carries: the whole, so that a product can act on any of them.

    `sequence` counts the hand-offs of one subscription from 1: what has a lower one is older. Only `usage.refused` has
    `usage`.
    """

    sequence: Annotated[int, SchemaKeywords({"minimum": 1})]
    subscription: Subscription
    registration: Registration | None
    account: Account
    usage: list[UnbilledHour] | None = None


@dataclass(frozen=True)
class Handoff(PayloadPart):
    """One event in the life of a subscription, as it is sent to the seller's product."""

    type: Annotated[str, SchemaKeywords({"enum": list(HandoffType)})]
    timestamp: datetime
    version: Literal[1]
    data: Contents


class StoredRows(NamedTuple):
    """The rows of one subscription, as they are in one transaction. Of the account, `url` and `reference` are read."""

    subscription: Row[Any]
    registration: Row[Any] | None
    account: Row[Any] | AccountReply | None


def load_rows(connection: Connection, subscription_id: UUID) -> StoredRows | None:
    """Return the subscription's rows as the caller's transaction sees them; None where it is gone."""
    subscription, registration, account = (
        connection.execute(statement, {"loaded_id": subscription_id}).one_or_none() for statement in SELECT_PARTS
    )
    return StoredRows(subscription, registration, account) if subscription else None


def build(rows: StoredRows) -> SubscriptionSnapshot:
    """Return the snapshot of rows that are loaded already."""
    account = rows.account
    url, reference = (account.url, account.reference) if account else (None, None)
    request = vars(account_request.of_registration(rows.registration))
    return SubscriptionSnapshot(
        subscription=_build_subscription(rows.subscription),
        registration=Registration.from_row(rows.registration) if rows.registration else None,
        account=Account(**request, url=url, reference=reference),
    )


def _build_subscription(row: Row[Any]) -> Subscription:
    stored = None if row.entitlements is None else entitlements.load_stored(row)
    return Subscription.from_row(
        row,
        former_ids=list(map(UUID, row.former_ids)),
        entitlements=stored and [Entitlement(one.dimension, one.value, one.expires_at) for one in stored],
    )
