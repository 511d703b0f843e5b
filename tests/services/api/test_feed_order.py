"""The feed's order: what commits late, by whatever clock, is returned after what the client has read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, delete

from app.database import transactions
from app.models import Subscription
from app.services.api import cursors, feed
from app.services.api.cursors import INITIAL
from app.services.outbox import announce
from tests.support.databases import POSTGRESQL, on_postgresql
from tests.support.feed_pages import EVERYTHING, end, ids, pages
from tests.support.subscription_rows import insert_changed_at, insert_rows, update_subscription

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)


@pytest.fixture(autouse=True)
def in_context(app: Flask) -> Iterator[None]:
    """Runs every test in the application's context."""
    with app.app_context():
        yield


@contextmanager
def open_transaction() -> Iterator[Connection]:
    """Yield the connection of a transaction that commits at the end of the `with` block."""
    with transactions.current_database().write_engine.connect() as connection:
        connection.begin()
        yield connection
        connection.commit()


def is_postgresql() -> bool:
    return transactions.current_database().read_engine.dialect.name == POSTGRESQL


def touch(connection: Connection, subscription_id: UUID) -> UUID:
    announce.touch(connection, subscription_id)
    return subscription_id


@pytest.mark.parametrize("limit", [1, 2, 200])
@pytest.mark.parametrize("is_new", [True, False])
def test_late_commit_is_returned_however_late_it_is(app: Flask, limit: int, *, is_new: bool) -> None:
    first_id, *_ = insert_changed_at(app, *[LONG_AGO] * 6)
    start = end(list(pages()))
    with open_transaction() as late:
        # By its own clock, the writer is an hour behind: the order is not one of clocks.
        late_id = insert_rows(late, NOW - timedelta(hours=1))[0] if is_new else touch(late, first_id)
        # SQLite has no second writer meanwhile.
        early_ids = insert_changed_at(app, NOW, NOW) if is_postgresql() else []
        meanwhile = list(pages(start, limit=limit))

    following = list(pages(end(meanwhile), limit=limit))

    assert ids(*meanwhile) == []
    assert ids(*following) == [late_id, *early_ids]
    assert ids(*pages(end(following))) == []


@on_postgresql
def test_long_scan_misses_no_late_commit(app: Flask) -> None:
    insert_changed_at(app, *[LONG_AGO] * 6)
    with open_transaction() as late:
        [late_id] = insert_rows(late, NOW)
        early_ids = insert_changed_at(app, NOW)
        first = feed.page(EVERYTHING, INITIAL, 3)
        assert first.more

    rest = list(pages(cursors.decode(first.cursor), limit=3))

    assert ids(first, *rest)[6:] == [late_id, *early_ids]


@on_postgresql
def test_rolled_back_transaction_holds_nothing_up(app: Flask) -> None:
    with open_transaction() as late:
        insert_rows(late, NOW)
        early_ids = insert_changed_at(app, NOW)
        late.rollback()

    assert ids(*pages()) == early_ids


@pytest.mark.parametrize("moment", [LONG_AGO, NOW], ids=["same time", "later"])
def test_touched_row_is_returned_again_whatever_the_clock_says(app: Flask, moment: datetime) -> None:
    [subscription_id, _] = insert_changed_at(app, LONG_AGO, LONG_AGO)
    scanned = list(pages())
    with time_machine.travel(moment, tick=False):
        transactions.write(lambda connection: announce.touch(connection, subscription_id))

    assert ids(*pages(end(scanned))) == [subscription_id]


def test_change_by_a_process_of_the_version_before_is_returned(app: Flask) -> None:
    [subscription_id, _] = insert_changed_at(app, LONG_AGO, LONG_AGO)
    scanned = list(pages())

    update_subscription(app, subscription_id, NOW)

    assert ids(*pages(end(scanned))) == [subscription_id]


def test_deleted_row_gives_its_number_to_no_other(app: Flask) -> None:
    _, deleted_id = insert_changed_at(app, LONG_AGO, LONG_AGO)
    scanned = list(pages())
    deletion = delete(Subscription).where(Subscription.id == deleted_id)
    transactions.write(lambda connection: connection.execute(deletion))

    added_ids = insert_changed_at(app, NOW)

    assert ids(*pages(end(scanned))) == added_ids


@pytest.mark.parametrize(
    "change",
    [{"epoch": uuid4()}, {"number": cursors.MAX_NUMBER}, {"epoch": cursors.NO_EPOCH}],
    ids=["of another history", "from the future", "of an earlier version"],
)
def test_cursor_of_a_restored_database_starts_at_the_beginning(app: Flask, change: dict[str, Any]) -> None:
    subscription_ids = insert_changed_at(app, LONG_AGO, LONG_AGO)
    cursor = end(list(pages()))

    assert ids(*pages(replace(cursor, **change))) == subscription_ids
