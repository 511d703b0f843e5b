"""Inserts registrations with marked personal data, and reads what is left of them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Connection, Row, insert, inspect, select
from uuid_utils.compat import uuid7

from app.database import transactions
from app.database.transactions import transaction
from app.models import AuditEntry, PendingToken, Registration, Subscription
from tests.support.factories import PRODUCT_CODE
from tests.support.stored_rows import all_rows

PERSON_FIELDS = {
    "company": "Marked Company",
    "full_name": "Marked Person",
    "email": "marked@example.com",
    "phone": "+1 555 MARKED",
    "notes": "Marked: " + "long enough for a page of its own. " * 60,
}
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)


def run_transaction(app: Flask, work: Callable[[Connection], object]) -> None:
    """Call `work` with a connection, in one transaction."""
    with app.app_context():
        transaction(work)()


def insert_registration(app: Flask, updated_at: datetime = LONG_AGO, **purchase: Any) -> UUID:
    """Insert a registration for a purchase with these values; return its id."""
    subscription = {
        "id": uuid7(),
        "purchase_key": str(uuid7()),
        "product_code": PRODUCT_CODE,
        "agreement_id": "agmt-kept",
    }
    subscription |= {"status": "active", "hints": {}, "created_at": LONG_AGO, "last_seen_at": LONG_AGO, **purchase}
    registration_id = uuid7()
    row = {"id": registration_id, "subscription_id": subscription["id"]}
    row |= {"created_at": LONG_AGO, "updated_at": updated_at}

    def add(connection: Connection) -> None:
        connection.execute(insert(Subscription), [subscription])
        connection.execute(insert(Registration), [row | PERSON_FIELDS])

    run_transaction(app, add)
    return registration_id


def insert_pending_registration(app: Flask, settled_at: datetime | None = None) -> UUID:
    """Insert a registration without purchase, whose token is pending or was given up then; return its id."""
    pending: dict[str, Any] = {"sealed": b"sealed", "next_try_at": NOW} if settled_at is None else {}
    token = {"id": uuid7(), "digest": uuid7().bytes, "hints": {}, "parked_at": LONG_AGO, "tries": 1}
    registration_id = uuid7()
    row = {"id": registration_id, "parked_token_id": token["id"], "created_at": LONG_AGO, "updated_at": LONG_AGO}

    def add(connection: Connection) -> None:
        connection.execute(insert(PendingToken), [token | {"settled_at": settled_at} | pending])
        connection.execute(insert(Registration), [row | PERSON_FIELDS])

    run_transaction(app, add)
    return registration_id


def dump_tables(app: Flask) -> dict[str, list[str]]:
    """Return every row of every table, as text."""
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        return {name: [str(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")] for name in tables}  # noqa: S608


def audit_entries(app: Flask) -> Sequence[Row[Any]]:
    """Return the audit entries, the oldest first."""
    return all_rows(app, AuditEntry)


def remaining_registration_ids(app: Flask) -> set[UUID]:
    """Return the ids of the registrations still stored."""
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        return set(connection.scalars(select(Registration.id)))
