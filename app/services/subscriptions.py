"""Subscriptions: what the seller knows of each purchase."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, TextualSelect, Uuid, bindparam, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.aws.marketplace import Customer
from app.database import query, transaction, upsert
from app.models import ParkedToken, Subscription

# What AWS answers last stands; what it leaves out stays as it was.
FILLED_IN = ("customer_aws_account_id", "customer_identifier", "license_arn", "agreement_id", "offer_type")
ARRIVE = upsert(
    Subscription,
    natural_key="purchase_key",
    changes={
        "last_seen_at": "excluded.last_seen_at",
        **{name: f"coalesce(excluded.{name}, subscriptions.{name})" for name in FILLED_IN},
        "hints": "CASE CAST(excluded.hints AS TEXT) WHEN '{}' THEN subscriptions.hints ELSE excluded.hints END",
    },
)
# A form that was open for long knows nothing newer than what is stored.
REMEMBER = upsert(Subscription, natural_key="purchase_key", changes={"last_seen_at": "subscriptions.last_seen_at"})
HOLD = text("UPDATE subscriptions SET last_seen_at = last_seen_at WHERE id = :id").bindparams(
    bindparam("id", type_=Uuid)
)
ADOPT = text(
    "UPDATE subscriptions SET purchase_key = :license WHERE purchase_key = :known_key"
    " AND status NOT IN ('ended', 'failed')"
    " AND (agreement_id IS NULL OR agreement_id = :agreement)"
    " AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE purchase_key = :license)"
)


@dataclass(frozen=True)
class Said:
    """What a browser said beside the token: unsigned, kept, never trusted."""

    offer_type: str | None = None
    hints: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrival:
    """A customer at the door, and what their browser said."""

    customer: Customer
    said: Said = Said()


@transaction
def arrive(connection: Connection, arrival: Arrival) -> UUID:
    """Record that the purchase has been seen, and return its subscription's id.

    What AWS answers now stands; nothing that it leaves out, and nothing that came of events, is touched.
    """
    return record(connection, arrival)


def record(connection: Connection, arrival: Arrival) -> UUID:
    """Do what `arrive` does, within the caller's transaction."""
    return _record(connection, arrival, ARRIVE)


def remember(connection: Connection, arrival: Arrival) -> UUID:
    """Return the subscription's id within the caller's transaction; record it only where it is not stored yet."""
    return _record(connection, arrival, REMEMBER)


def hold(connection: Connection, subscription_id: UUID) -> None:
    """Let no other transaction register for the subscription before the caller's ends."""
    connection.execute(HOLD, {"id": subscription_id})


def _record(connection: Connection, arrival: Arrival, statement: TextualSelect) -> UUID:
    customer = arrival.customer
    if customer.license_arn and customer.customer_identifier:
        _adopt(connection, customer)
    now = datetime.now(UTC)
    row = {
        "id": uuid7(),
        "purchase_key": purchase_key(customer),
        "product_code": customer.product_code,
        "customer_aws_account_id": customer.account_id,
        "customer_identifier": customer.customer_identifier,
        "license_arn": customer.license_arn,
        "agreement_id": customer.agreement_id,
        "status": "pending",
        "status_since": None,
        "offer_type": arrival.said.offer_type,
        "hints": arrival.said.hints,
        "created_at": now,
        "last_seen_at": now,
    }
    row_id: UUID = connection.execute(statement, row).scalar_one()
    return row_id


@query
def find(session: Session, subscription_id: UUID) -> Subscription | None:
    """Return the subscription with that id, if there is one."""
    return session.get(Subscription, subscription_id)


@query
def of_parked(session: Session, parked_id: UUID) -> Subscription | None:
    """Return the subscription that a parked token turned out to stand for, if AWS has told by now."""
    resolved = select(Subscription).join(ParkedToken, ParkedToken.subscription_id == Subscription.id)
    return session.scalar(resolved.where(ParkedToken.id == parked_id))


def customer_of(subscription: Subscription) -> Customer:
    """Return the customer as AWS told of them when the subscription was recorded."""
    return Customer(
        product_code=subscription.product_code,
        account_id=subscription.customer_aws_account_id,
        customer_identifier=subscription.customer_identifier,
        license_arn=subscription.license_arn,
        agreement_id=subscription.agreement_id,
    )


def purchase_key(customer: Customer) -> str:
    """Return what tells this purchase from every other: the license or, on old listings, product and customer."""
    return customer.license_arn or _key_without_license(customer)


def _key_without_license(customer: Customer) -> str:
    if customer.customer_identifier:
        return f"{customer.product_code}/{customer.customer_identifier}"
    # One account may buy twice; its agreement tells the purchases apart.
    return "/".join(filter(None, (customer.product_code, customer.account_id, customer.agreement_id)))


def _adopt(connection: Connection, customer: Customer) -> None:
    """Give a purchase that was stored before its listing had licenses the license it has now.

    Only old listings, which still send the customer identifier, have such purchases.
    """
    keys = {"known_key": _key_without_license(customer), "license": customer.license_arn}
    connection.execute(ADOPT, {**keys, "agreement": customer.agreement_id})
