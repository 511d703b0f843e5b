"""Subscriptions that last changed when a test says so."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Connection, insert, update
from uuid_utils.compat import uuid7

from app.database import transactions
from app.models import Subscription
from tests.factories import CODE


def changed(app: Flask, *moments: datetime, **values: Any) -> list[UUID]:
    """Return the ids of new subscriptions that changed at these moments, with the values given."""
    with app.app_context():
        return transactions.current().write(lambda connection: add(connection, *moments, **values))


def add(connection: Connection, *moments: datetime, **values: Any) -> list[UUID]:
    """Do what `changed` does, within the caller's transaction."""
    rows = [_row(moment, values) for moment in moments]
    connection.execute(insert(Subscription), rows)
    return [row["id"] for row in rows]


def change(app: Flask, subscription_id: UUID, moment: datetime, **values: Any) -> None:
    """Let a subscription change at that moment."""
    changes = update(Subscription).where(Subscription.id == subscription_id).values(changed_at=moment, **values)
    with app.app_context():
        transactions.current().write(lambda connection: connection.execute(changes))


def _row(moment: datetime, values: dict[str, Any]) -> dict[str, Any]:
    usual = {"id": uuid7(), "purchase_key": str(uuid7()), "product_code": CODE, "status": "active", "hints": {}}
    return {**usual, "created_at": moment, "changed_at": moment, "former_ids": [], "review_failures": 0, **values}
