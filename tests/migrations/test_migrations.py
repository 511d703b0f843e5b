"""Migrations: what an earlier version stored is still there, and means what it meant."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import ColumnClause, Connection, Uuid, column, inspect, table
from uuid_utils.compat import uuid7

from app import create_app
from app.cli.migrations import migrations
from app.database import engine
from app.models import AuditEntry, Base, Registration, Subscription, UtcDateTime
from tests.conftest import migrated_database
from tests.support import factories
from tests.support.databases import SQLITE
from tests.support.outbox_messages import register_customer
from tests.support.stored_rows import all_rows

CREATED, SEEN = datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 6, 1, 12, tzinfo=UTC)
TYPES = {"id": Uuid, "subscription_id": Uuid, "registration_id": Uuid, "created_at": UtcDateTime, "at": UtcDateTime}
TYPES |= {"updated_at": UtcDateTime, "last_seen_at": UtcDateTime}


@pytest.fixture
def url(database_url: str, request: pytest.FixtureRequest, xdist_worker_id: str) -> Iterator[str]:
    """The URL of a migrated database of this test alone, of each kind in turn."""
    if database_url.startswith(SQLITE):
        yield database_url
        return
    with migrated_database(request.getfixturevalue("postgresql_server"), f"earlier_{xdist_worker_id}") as url:
        yield url


@pytest.fixture
def app(url: str) -> Iterator[Flask]:
    with factories.open_app(create_app(factories.settings(database_url=url))) as app:
        migrations.init_app(app)
        yield app


def downgrade(app: Flask) -> None:
    """Go back to the revision before; the command takes a number for so many steps."""
    with app.app_context():
        migrations.downgrade("0003")


def upgrade(app: Flask) -> None:
    with app.app_context():
        migrations.upgrade("0004")


def add(connection: Connection, name: str, **values: Any) -> None:
    """Store a row in a table as it was, of which the models know nothing any more."""
    columns: list[ColumnClause[Any]] = [column(each, TYPES.get(each)) for each in values]
    connection.execute(table(name, *columns).insert(), values)


def shape(app: Flask) -> dict[str, list[str]]:
    """Return the names of each table's columns and indexes."""

    def names(described: list[Any]) -> list[str]:
        return sorted(str(each["name"]) for each in described)

    with app.app_context(), engine.current_database().read_engine.connect() as connection:
        found = inspect(connection)
        return {name: names(found.get_columns(name)) + names(found.get_indexes(name)) for name in Base.metadata.tables}


def test_0004_keeps_what_was_stored_and_dates_its_changes_from_its_creation(app: Flask) -> None:
    before = shape(app)
    subscription_id, registration_id = uuid7(), uuid7()
    downgrade(app)

    def work(connection: Connection) -> None:
        bought = {"purchase_key": "l-1", "product_code": "p", "status": "active", "hints": "{}", "review_failures": 0}
        sent = {"company": "Juniper", "full_name": "Ada", "email": "ada@example.com", "updated_at": SEEN}
        of_it = {"subscription_id": subscription_id, "created_at": CREATED}
        add(connection, "subscriptions", id=subscription_id, created_at=CREATED, last_seen_at=SEEN, **bought)
        add(connection, "registrations", id=registration_id, **of_it, **sent)
        erased = {"registration_id": uuid7(), "subscription_id": subscription_id}
        add(connection, "audit_entries", id=uuid7(), at=SEEN, action="registration.erased", actor="retention", **erased)

    with app.app_context():
        engine.current_database().write(work)
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
    assert shape(app) == before


def test_what_a_downgrade_of_0004_cannot_keep_is_gone_and_the_rest_is_not(app: Flask) -> None:
    register_customer(app)

    downgrade(app)
    upgrade(app)

    assert [registration.full_name for registration in all_rows(app, Registration)] == ["Ada Lovelace"]
    assert [entry.action for entry in all_rows(app, AuditEntry)] == ["registration.completed"]
