"""Subscriptions: what the seller knows of each purchase."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, TextualSelect, Uuid, bindparam, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.aws.customer import Customer
from app.database.transactions import query, transaction, upsert
from app.models import ParkedToken, Subscription
from app.services.purchases.keys import key_without_license, purchase_key
from app.services.purchases.purchase import Arrival

# A renewal may bring another license: who comes with an earlier one has come for the same subscription.
CURRENT_KEY = (
    "coalesce((SELECT s.purchase_key FROM earlier_keys e JOIN subscriptions s ON s.id = e.subscription_id"
    " WHERE e.purchase_key = :purchase_key), :purchase_key)"
)


def _of_its_key(name: str, value: str) -> str:
    # What is said of an earlier license must not stand for the present one.
    return f"CASE subscriptions.purchase_key WHEN :purchase_key THEN {value} ELSE subscriptions.{name} END"


# What AWS answers last stands; what it leaves out stays as it was.
FILLED_IN = ("customer_aws_account_id", "customer_identifier", "offer_type")


def _changed(changes: Mapping[str, str]) -> str:
    # Whoever follows the changes is told of them, and not of each landing.
    differ = (f"coalesce({new}, '') <> coalesce(subscriptions.{name}, '')" for name, new in changes.items())
    return f"CASE WHEN {' OR '.join(differ)} THEN excluded.changed_at ELSE subscriptions.changed_at END"


LANDED = {
    **{name: f"coalesce(excluded.{name}, subscriptions.{name})" for name in FILLED_IN},
    **{
        name: _of_its_key(name, f"coalesce(excluded.{name}, subscriptions.{name})")
        for name in ("license_arn", "agreement_id")
    },
}
KNOWN = {
    name: _of_its_key(name, f"coalesce(subscriptions.{name}, excluded.{name})")
    for name in ("customer_aws_account_id", "license_arn", "agreement_id")
}
ARRIVE = upsert(
    Subscription,
    natural_key="purchase_key",
    values={"purchase_key": CURRENT_KEY},
    changes={
        "last_seen_at": "excluded.last_seen_at",
        "review_at": "excluded.review_at",
        "changed_at": _changed(LANDED),
        **LANDED,
        "hints": "CASE CAST(excluded.hints AS TEXT) WHEN '{}' THEN subscriptions.hints ELSE excluded.hints END",
    },
)
# A form that was open for long, and an event, know nothing newer than what is stored.
KNOW = upsert(
    Subscription,
    natural_key="purchase_key",
    values={"purchase_key": CURRENT_KEY},
    changes={"changed_at": _changed(KNOWN), **KNOWN},
)
HOLD = text("UPDATE subscriptions SET last_seen_at = last_seen_at WHERE id = :id").bindparams(
    bindparam("id", type_=Uuid)
)
REMEMBER_KEY = text(
    "INSERT INTO earlier_keys (purchase_key, subscription_id)"
    " SELECT :earlier, id FROM subscriptions WHERE purchase_key = :present"
    " ON CONFLICT (purchase_key) DO UPDATE SET subscription_id = excluded.subscription_id"
)
ADOPT = text(
    "UPDATE subscriptions SET purchase_key = :license WHERE purchase_key = :known_key"
    " AND status NOT IN ('ended', 'failed')"
    " AND (agreement_id IS NULL OR agreement_id = :agreement)"
    " AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE purchase_key = :license)"
)


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
    return _record(connection, arrival, KNOW)


def know(connection: Connection, customer: Customer) -> UUID:
    """Return the id of the subscription that an event is about, within the caller's transaction.

    Where it is not stored yet it is recorded, as one whose buyer has not come; of one that is, gaps are filled.
    """
    row_id: UUID = connection.execute(
        KNOW, _row(Arrival(customer), datetime.now(UTC)) | {"last_seen_at": None}
    ).scalar_one()
    return row_id


def hold(connection: Connection, subscription_id: UUID) -> None:
    """Let no other transaction change the subscription, or register for it, before the caller's ends."""
    connection.execute(HOLD, {"id": subscription_id})


def _record(connection: Connection, arrival: Arrival, statement: TextualSelect) -> UUID:
    customer = arrival.customer
    if customer.license_arn and customer.customer_identifier:
        _adopt(connection, customer)
    row_id: UUID = connection.execute(statement, _row(arrival, datetime.now(UTC))).scalar_one()
    return row_id


def _row(arrival: Arrival, now: datetime) -> dict[str, Any]:
    customer = arrival.customer
    return {
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
        "free_trial": None,
        "ends_at": None,
        "entitlements": None,
        "entitlements_read_at": None,
        "review_at": now,
        "review_failures": 0,
        "changed_at": now,
        "former_ids": [],
    }


@query
def find(session: Session, subscription_id: UUID) -> Subscription | None:
    """Return the subscription with that id, if there is one."""
    return session.get(Subscription, subscription_id)


@query
def of_parked(session: Session, parked_id: UUID) -> Subscription | None:
    """Return the subscription that a parked token turned out to stand for, if AWS has told by now."""
    resolved = select(Subscription).join(ParkedToken, ParkedToken.subscription_id == Subscription.id)
    return session.scalar(resolved.where(ParkedToken.id == parked_id))


def customer_of(subscription: Subscription | Row[Any]) -> Customer:
    """Return the customer as AWS told of them when the subscription was recorded."""
    return Customer(
        product_code=subscription.product_code,
        account_id=subscription.customer_aws_account_id,
        customer_identifier=subscription.customer_identifier,
        license_arn=subscription.license_arn,
        agreement_id=subscription.agreement_id,
    )


def _adopt(connection: Connection, customer: Customer) -> None:
    """Give a purchase that was stored before its listing had licenses the license it has now.

    Only old listings, which still send the customer identifier, have such purchases.
    """
    keys = {"known_key": key_without_license(customer), "license": purchase_key(customer)}
    if connection.execute(ADOPT, {**keys, "agreement": customer.agreement_id}).rowcount:
        remember_key(connection, keys["known_key"], purchase_key(customer))


def remember_key(connection: Connection, earlier: str, present: str) -> None:
    """Let whoever comes with an earlier purchase key come to the subscription that has the present one."""
    connection.execute(REMEMBER_KEY, {"earlier": earlier, "present": present})
