"""Migrations keep the rows of earlier revisions, with the same meaning."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import ColumnClause, Connection, Uuid, column, inspect, table
from uuid_utils.compat import uuid7

from app import create_app
from app.cli.migrations import migrations
from app.database import transactions
from app.models import METADATA, AuditEntry, Registration, Subscription, UtcDateTime
from tests.support import factories
from tests.support.outbox_messages import register_customer
from tests.support.stored_rows import all_rows

CREATED, SEEN = datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 6, 1, 12, tzinfo=UTC)
# The revision before the one that adds the answers to questions.
BEFORE_ANSWERS = "0008"
TYPES = {"id": Uuid, "subscription_id": Uuid, "registration_id": Uuid, "created_at": UtcDateTime, "at": UtcDateTime}
TYPES |= {"parked_token_id": Uuid, "parked_at": UtcDateTime, "updated_at": UtcDateTime, "last_seen_at": UtcDateTime}


@pytest.fixture
def app(own_database_url: str) -> Iterator[Flask]:
    with factories.open_app(create_app(factories.settings(database_url=own_database_url))) as app:
        migrations.init_app(app)
        yield app


def downgrade(app: Flask) -> None:
    """Downgrade to revision 0003."""
    with app.app_context():
        migrations.downgrade("0003")


def upgrade(app: Flask) -> None:
    with app.app_context():
        migrations.upgrade()


def insert_row(connection: Connection, table_name: str, **values: Any) -> None:
    """Insert a row with the columns of an earlier revision, which the models no longer have."""
    columns: list[ColumnClause[Any]] = [column(name, TYPES.get(name)) for name in values]
    connection.execute(table(table_name, *columns).insert(), values)


def table_shapes(app: Flask) -> dict[str, list[str]]:
    """Return the names of each table's columns and indexes."""

    def names(items: list[Any]) -> list[str]:
        return sorted(str(item["name"]) for item in items)

    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        inspector = inspect(connection)
        return {
            table_name: names(inspector.get_columns(table_name)) + names(inspector.get_indexes(table_name))
            for table_name in METADATA.tables
        }


def test_0004_keeps_rows_and_sets_changed_at_to_created_at(app: Flask) -> None:
    shapes_before = table_shapes(app)
    subscription_id, registration_id = uuid7(), uuid7()
    downgrade(app)

    def insert_rows(connection: Connection) -> None:
        purchase = {"purchase_key": "l-1", "product_code": "p", "status": "active", "hints": "{}", "review_failures": 0}
        answers = {"company": "Juniper", "full_name": "Ada", "email": "ada@example.com"}
        times = {"created_at": CREATED, "updated_at": SEEN}
        erasure = {"action": "registration.erased", "actor": "retention", "registration_id": uuid7()}
        ids = {"id": registration_id, "subscription_id": subscription_id}
        insert_row(connection, "subscriptions", id=subscription_id, created_at=CREATED, last_seen_at=SEEN, **purchase)
        insert_row(connection, "registrations", **ids, **answers, **times)
        insert_row(connection, "audit_entries", id=uuid7(), at=SEEN, subscription_id=subscription_id, **erasure)

    with app.app_context():
        transactions.write(insert_rows)
    upgrade(app)

    (subscription,), (registration,), (entry,) = (
        all_rows(app, Subscription),
        all_rows(app, Registration),
        all_rows(app, AuditEntry),
    )
    assert (subscription.id, subscription.created_at, subscription.last_seen_at) == (subscription_id, CREATED, SEEN)
    assert (subscription.changed_at, subscription.former_ids) == (CREATED, [])
    assert (registration.id, registration.email, registration.updated_at) == (registration_id, "ada@example.com", SEEN)
    assert (registration.account, registration.existing_account) == ("new", None)
    assert (entry.action, entry.at, entry.subscription_id) == ("registration.erased", SEEN, subscription_id)
    assert table_shapes(app) == shapes_before


def test_downgrade_of_0004_keeps_everything_that_0003_can_store(app: Flask) -> None:
    register_customer(app)

    downgrade(app)
    upgrade(app)

    assert [registration.full_name for registration in all_rows(app, Registration)] == ["Ada Lovelace"]
    assert [entry.action for entry in all_rows(app, AuditEntry)] == ["registration.completed"]


def test_answers_migration_keeps_rows_and_writes_of_the_version_before(app: Flask) -> None:
    register_customer(app)
    with app.app_context():
        migrations.downgrade(BEFORE_ANSWERS)
    upgrade(app)

    def write_as_before(connection: Connection) -> None:
        # A process of the version before, which still runs while the database is migrated, does not name the column.
        token = {"id": uuid7(), "digest": b"d", "hints": "{}", "parked_at": SEEN, "tries": 0}
        insert_row(connection, "parked_tokens", **token)
        values = {"company": "Juniper", "full_name": "Ada", "email": "ada@example.com", "account": "new"}
        times = {"created_at": CREATED, "updated_at": SEEN}
        insert_row(connection, "registrations", id=uuid7(), parked_token_id=token["id"], **values, **times)

    with app.app_context():
        transactions.write(write_as_before)
    assert [row.answers for row in all_rows(app, Registration)] == [None, None]
