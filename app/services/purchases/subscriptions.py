"""Subscriptions: what the seller knows of each purchase."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, TextualSelect, Uuid, bindparam, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from app.aws.customer import Customer
from app.database.statements import upsert_statement
from app.database.transactions import query, transaction
from app.models import PendingToken, Subscription
from app.services.purchases.keys import key_without_license, purchase_key
from app.services.purchases.purchase import Landing

# A renewal may bring another license: who comes with an earlier one has come for the same subscription.
CURRENT_PURCHASE_KEY = (
    "coalesce((SELECT s.purchase_key FROM earlier_keys e JOIN subscriptions s ON s.id = e.subscription_id"
    " WHERE e.purchase_key = :purchase_key), :purchase_key)"
)


def _if_current_key(name: str, value: str) -> str:
    # What is said of an earlier license must not stand for the present one.
    return f"CASE subscriptions.purchase_key WHEN :purchase_key THEN {value} ELSE subscriptions.{name} END"


# What AWS answers last stands; what it leaves out stays as it was.
KEY_INDEPENDENT_COLUMNS = ("customer_aws_account_id", "customer_identifier", "offer_type")


def _changed_at_if_different(changes: Mapping[str, str]) -> str:
    # Whoever follows the changes is told of them, and not of each landing.
    differ = (f"coalesce({new}, '') <> coalesce(subscriptions.{name}, '')" for name, new in changes.items())
    return f"CASE WHEN {' OR '.join(differ)} THEN excluded.changed_at ELSE subscriptions.changed_at END"


LATEST_WINS = {
    **{name: f"coalesce(excluded.{name}, subscriptions.{name})" for name in KEY_INDEPENDENT_COLUMNS},
    **{
        name: _if_current_key(name, f"coalesce(excluded.{name}, subscriptions.{name})")
        for name in ("license_arn", "agreement_id")
    },
}
STORED_WINS = {
    name: _if_current_key(name, f"coalesce(subscriptions.{name}, excluded.{name})")
    for name in ("customer_aws_account_id", "license_arn", "agreement_id")
}
UPSERT_LATEST_WINS = upsert_statement(
    Subscription,
    natural_key="purchase_key",
    insert_values={"purchase_key": CURRENT_PURCHASE_KEY},
    updates={
        "last_seen_at": "excluded.last_seen_at",
        "review_at": "excluded.review_at",
        "changed_at": _changed_at_if_different(LATEST_WINS),
        **LATEST_WINS,
        "hints": "CASE CAST(excluded.hints AS TEXT) WHEN '{}' THEN subscriptions.hints ELSE excluded.hints END",
    },
)
# A form that was open for long, and an event, know nothing newer than what is stored.
UPSERT_STORED_WINS = upsert_statement(
    Subscription,
    natural_key="purchase_key",
    insert_values={"purchase_key": CURRENT_PURCHASE_KEY},
    updates={"changed_at": _changed_at_if_different(STORED_WINS), **STORED_WINS},
)
LOCK = text("UPDATE subscriptions SET last_seen_at = last_seen_at WHERE id = :id").bindparams(
    bindparam("id", type_=Uuid)
)
UPSERT_EARLIER_KEY = text(
    "INSERT INTO earlier_keys (purchase_key, subscription_id)"
    " SELECT :earlier, id FROM subscriptions WHERE purchase_key = :present"
    " ON CONFLICT (purchase_key) DO UPDATE SET subscription_id = excluded.subscription_id"
)
SET_LICENSE_KEY = text(
    "UPDATE subscriptions SET purchase_key = :license WHERE purchase_key = :known_key"
    " AND status NOT IN ('ended', 'failed')"
    " AND (agreement_id IS NULL OR agreement_id = :agreement)"
    " AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE purchase_key = :license)"
)


@transaction
def upsert_from_landing(connection: Connection, landing: Landing) -> UUID:
    """Record that the purchase has been seen, and return its subscription's id.

    What AWS answers now stands; nothing that it leaves out, and nothing that came of events, is touched.
    """
    return upsert_in_transaction(connection, landing)


def upsert_in_transaction(connection: Connection, landing: Landing) -> UUID:
    """Do what `arrive` does, within the caller's transaction."""
    return _upsert(connection, landing, UPSERT_LATEST_WINS)


def ensure_from_form(connection: Connection, landing: Landing) -> UUID:
    """Return the subscription's id within the caller's transaction; record it only where it is not stored yet."""
    return _upsert(connection, landing, UPSERT_STORED_WINS)


def ensure_from_event(connection: Connection, customer: Customer) -> UUID:
    """Return the id of the subscription that an event is about, within the caller's transaction.

    Where it is not stored yet it is recorded, as one whose buyer has not come; of one that is, gaps are filled.
    """
    row_id: UUID = connection.execute(
        UPSERT_STORED_WINS, _new_row(Landing(customer), datetime.now(UTC)) | {"last_seen_at": None}
    ).scalar_one()
    return row_id


def lock(connection: Connection, subscription_id: UUID) -> None:
    """Let no other transaction change the subscription, or register for it, before the caller's ends."""
    connection.execute(LOCK, {"id": subscription_id})


def _upsert(connection: Connection, landing: Landing, statement: TextualSelect) -> UUID:
    customer = landing.customer
    if customer.license_arn and customer.customer_identifier:
        _set_license_key(connection, customer)
    row_id: UUID = connection.execute(statement, _new_row(landing, datetime.now(UTC))).scalar_one()
    return row_id


def _new_row(landing: Landing, now: datetime) -> dict[str, Any]:
    customer = landing.customer
    return {
        "id": uuid7(),
        "purchase_key": purchase_key(customer),
        "product_code": customer.product_code,
        "customer_aws_account_id": customer.customer_aws_account_id,
        "customer_identifier": customer.customer_identifier,
        "license_arn": customer.license_arn,
        "agreement_id": customer.agreement_id,
        "status": "pending",
        "status_since": None,
        "offer_type": landing.unverified.offer_type,
        "hints": landing.unverified.hints,
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
def find_by_pending_token(session: Session, pending_token_id: UUID) -> Subscription | None:
    """Return the subscription that a parked token turned out to stand for, if AWS has told by now."""
    resolved = select(Subscription).join(PendingToken, PendingToken.subscription_id == Subscription.id)
    return session.scalar(resolved.where(PendingToken.id == pending_token_id))


def customer_of(subscription: Subscription | Row[Any]) -> Customer:
    """Return the customer as AWS told of them when the subscription was recorded."""
    return Customer(
        product_code=subscription.product_code,
        customer_aws_account_id=subscription.customer_aws_account_id,
        customer_identifier=subscription.customer_identifier,
        license_arn=subscription.license_arn,
        agreement_id=subscription.agreement_id,
    )


def _set_license_key(connection: Connection, customer: Customer) -> None:
    """Give a purchase that was stored before its listing had licenses the license it has now.

    Only old listings, which still send the customer identifier, have such purchases.
    """
    keys = {"known_key": key_without_license(customer), "license": purchase_key(customer)}
    if connection.execute(SET_LICENSE_KEY, {**keys, "agreement": customer.agreement_id}).rowcount:
        store_earlier_key(connection, keys["known_key"], purchase_key(customer))


def store_earlier_key(connection: Connection, earlier_key: str, current_key: str) -> None:
    """Let whoever comes with an earlier purchase key come to the subscription that has the present one."""
    connection.execute(UPSERT_EARLIER_KEY, {"earlier": earlier_key, "present": current_key})
