"""Subscriptions: one row for each purchase, however often and in whatever form AWS names it.

Four functions write the row by its purchase key; all create it where it is missing:

    function               called by                               where the row exists
    upsert_from_landing    landing view, a transaction of its own  AWS's answer wins; the landing is recorded
    upsert_in_transaction  worker, for a resolved pending token    the same
    ensure_from_form       sign-up form                            the stored values win, gaps are filled
    ensure_from_event      worker, for an AWS event                the same; a new row has no landing (last_seen_at)

A value that AWS leaves out never erases a stored one. A license or agreement is written only where the row still has
the purchase key that the caller came with: one from before a renewal must not replace the present one. `changed_at`,
and its number, by which the API's feed is ordered, move only where a value differs.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, TextualSelect, bindparam, select, text, update
from uuid_utils.compat import uuid7

from app.aws.customer import Customer
from app.database import clock
from app.database.statements import upsert_statement
from app.database.transactions import query, transaction
from app.models import PendingToken, Subscription
from app.models.purchases import NEXT_NUMBER
from app.services.purchases.purchase import Landing

# A renewal may bring another license: a buyer who comes with an earlier one comes for the same subscription.
CURRENT_PURCHASE_KEY = (
    "coalesce((SELECT s.purchase_key FROM earlier_keys e JOIN subscriptions s ON s.id = e.subscription_id"
    " WHERE e.purchase_key = :purchase_key), :purchase_key)"
)


def _if_current_key(name: str, value: str) -> str:
    return f"CASE subscriptions.purchase_key WHEN :purchase_key THEN {value} ELSE subscriptions.{name} END"


def _upsert_statement(values: Mapping[str, str], *, returns_row: bool = False, **other_updates: str) -> TextualSelect:
    differ = (f"coalesce({new}, '') <> coalesce(subscriptions.{name}, '')" for name, new in values.items())
    has_changed = " OR ".join(differ)
    times = {
        name: f"CASE WHEN {has_changed} THEN {new} ELSE subscriptions.{name} END"
        for name, new in {"changed_at": "excluded.changed_at", "change_number": NEXT_NUMBER}.items()
    }
    updates = {**times, **values, **other_updates}
    inserts = {"purchase_key": CURRENT_PURCHASE_KEY}
    return upsert_statement(Subscription.__table__, "purchase_key", updates, inserts, returns_row=returns_row)


LATEST_WINS = {
    name: f"coalesce(excluded.{name}, subscriptions.{name})"
    for name in ("customer_aws_account_id", "customer_identifier", "offer_type", "license_arn", "agreement_id")
}
LATEST_WINS |= {name: _if_current_key(name, LATEST_WINS[name]) for name in ("license_arn", "agreement_id")}
STORED_WINS = {
    name: _if_current_key(name, f"coalesce(subscriptions.{name}, excluded.{name})")
    for name in ("customer_aws_account_id", "license_arn", "agreement_id")
}
UPSERT_LATEST_WINS = _upsert_statement(
    LATEST_WINS,
    last_seen_at="excluded.last_seen_at",
    review_at="excluded.review_at",
    hints="CASE CAST(excluded.hints AS TEXT) WHEN '{}' THEN subscriptions.hints ELSE excluded.hints END",
)
# A form that stayed open for long, and an event, may be older than what is stored.
UPSERT_STORED_WINS = _upsert_statement(STORED_WINS, returns_row=True)
UPSERT_EARLIER_KEY = text(
    "INSERT INTO earlier_keys (purchase_key, subscription_id)"
    " SELECT :earlier_key, id FROM subscriptions WHERE purchase_key = :current_key"
    " ON CONFLICT (purchase_key) DO UPDATE SET subscription_id = excluded.subscription_id"
)
# A key is one subscription's present key or its earlier one, never both.
SET_LICENSE_KEY = text(
    "UPDATE subscriptions SET purchase_key = :license_key WHERE purchase_key = :key_without_license"
    " AND status NOT IN ('ended', 'failed')"
    " AND (agreement_id IS NULL OR agreement_id = :agreement_id)"
    " AND NOT EXISTS (SELECT 1 FROM subscriptions WHERE purchase_key = :license_key)"
    " AND NOT EXISTS (SELECT 1 FROM earlier_keys WHERE purchase_key = :license_key)"
)
SELECT_ROW = select(Subscription.__table__).where(Subscription.id == bindparam("subscription_id"))
UPDATE_ROW = update(Subscription).where(Subscription.id == bindparam("subscription_id"))
LOCK = UPDATE_ROW.values(last_seen_at=Subscription.last_seen_at)
# As an update locks it. SQLite has one writing transaction at a time.
LOCK_ROW = SELECT_ROW.with_for_update(key_share=True)
SELECT_BY_PENDING_TOKEN = select(Subscription.__table__).where(
    Subscription.id == PendingToken.subscription_id, PendingToken.id == bindparam("pending_token_id")
)


def upsert_in_transaction(connection: Connection, landing: Landing) -> UUID:
    """Store a purchase for which AWS's answer wins, and return the subscription's id.

    The worker reviews the subscription next. Status, entitlements and whatever else comes of events stay.
    """
    subscription_id: UUID = _upsert(connection, landing, UPSERT_LATEST_WINS).id
    return subscription_id


upsert_from_landing = transaction(upsert_in_transaction)


def ensure_from_form(connection: Connection, landing: Landing) -> Row[Any]:
    """Return the subscription that the sign-up form is for. The form may be older than a renewal."""
    return _upsert(connection, landing, UPSERT_STORED_WINS)


def ensure_from_event(connection: Connection, customer: Customer, *, needs_review: bool = True) -> UUID:
    """Return the id of the subscription that an AWS event names. Events come late and in any order.

    `needs_review` is whether the worker reviews a new subscription next.
    """
    without = ("last_seen_at",) if needs_review else ("last_seen_at", "review_at")
    subscription_id: UUID = _upsert(connection, Landing(customer), UPSERT_STORED_WINS, without).id
    return subscription_id


def _upsert(
    connection: Connection, landing: Landing, statement: TextualSelect, without: Iterable[str] = ()
) -> Row[Any]:
    """Insert or update the row, and return what the statement returns; the columns `without` are NULL in a new row."""
    customer, now = landing.customer, clock.now()
    if customer.license_arn and customer.customer_identifier:
        _set_license_key(connection, customer)
    row = {
        **dict.fromkeys(Subscription.__table__.columns.keys()),
        **customer.columns(),
        **vars(landing.unverified),
        **dict.fromkeys(("created_at", "last_seen_at", "review_at", "changed_at"), now),
        "id": uuid7(),
        "purchase_key": customer.purchase_key,
        "status": "pending",
        "review_failures": 0,
        "change_number": NEXT_NUMBER,
        "former_ids": [],
        **dict.fromkeys(without),
    }
    return connection.execute(statement, row).one()


def _set_license_key(connection: Connection, customer: Customer) -> None:
    """Give a purchase from before its listing had licenses the key of the license that it has now.

    Only old listings, which still send the customer identifier, have such purchases.
    """
    before, after = customer.key_without_license, customer.purchase_key
    names = {"key_without_license": before, "license_key": after, "agreement_id": customer.agreement_id}
    if connection.execute(SET_LICENSE_KEY, names).rowcount:
        store_earlier_key(connection, before, after)


def lock(connection: Connection, subscription_id: UUID) -> None:
    """Lock the subscription until the caller's transaction ends: no other changes or registers for it meanwhile."""
    connection.execute(LOCK, {"subscription_id": subscription_id})


def lock_row(connection: Connection, subscription_id: UUID) -> Row[Any]:
    """Lock the subscription in the same way, and return its row."""
    return connection.execute(LOCK_ROW, {"subscription_id": subscription_id}).one()


def change() -> dict[str, object]:
    """Return the values by which a change of a subscription reaches the readers of the feed."""
    return {"changed_at": clock.now(), "change_number": NEXT_NUMBER}


def find_row(connection: Connection, subscription_id: UUID) -> Row[Any] | None:
    """Return the subscription's row as it is in the caller's transaction; None where it was merged into another."""
    return connection.execute(SELECT_ROW, {"subscription_id": subscription_id}).one_or_none()


find = query(find_row)


def update_row(connection: Connection, subscription_id: UUID, values: Mapping[str, object]) -> None:
    """Set the columns given, within the transaction of a caller that locked the subscription."""
    connection.execute(UPDATE_ROW, {"subscription_id": subscription_id, **values})


@query
def find_by_pending_token(connection: Connection, pending_token_id: UUID) -> Row[Any] | None:
    """Return the subscription that a pending token turned out to be for; None while AWS has not resolved it."""
    return connection.execute(SELECT_BY_PENDING_TOKEN, {"pending_token_id": pending_token_id}).one_or_none()


def store_earlier_key(connection: Connection, earlier_key: str, current_key: str) -> None:
    """Lead an earlier purchase key to the subscription that has the current one, for buyers who still come with it."""
    connection.execute(UPSERT_EARLIER_KEY, {"earlier_key": earlier_key, "current_key": current_key})
