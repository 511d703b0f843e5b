"""Inserts and updates subscriptions with a chosen `changed_at`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Connection, insert, update
from uuid_utils.compat import uuid7

from app.database import transactions
from app.models import Subscription
from tests.support.factories import PRODUCT_CODE


def insert_changed_at(app: Flask, *moments: datetime, **values: Any) -> list[UUID]:
    """Insert one subscription for each moment, with these values; return their ids."""
    with app.app_context():
        return transactions.write(lambda connection: insert_rows(connection, *moments, **values))


def insert_rows(connection: Connection, *moments: datetime, **values: Any) -> list[UUID]:
    """Do the same as `insert_changed_at` within the caller's transaction."""
    rows = [_row(moment, values) for moment in moments]
    connection.execute(insert(Subscription), rows)
    return [row["id"] for row in rows]


def update_subscription(app: Flask, subscription_id: UUID, moment: datetime, **values: Any) -> None:
    """Change a subscription's values, and its `changed_at` to that moment."""
    changes = update(Subscription).where(Subscription.id == subscription_id).values(changed_at=moment, **values)
    with app.app_context():
        transactions.write(lambda connection: connection.execute(changes))


def _row(moment: datetime, values: dict[str, Any]) -> dict[str, Any]:
    defaults = {
        "id": uuid7(),
        "purchase_key": str(uuid7()),
        "product_code": PRODUCT_CODE,
        "status": "active",
        "hints": {},
    }
    return {**defaults, "created_at": moment, "changed_at": moment, "former_ids": [], "review_failures": 0, **values}
