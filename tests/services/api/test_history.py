"""The numbers of changes after a backup was restored, and while a transaction holds the feed up."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import update

from app.database import transactions
from app.models import Feed, Subscription
from app.services.api import cursors, feed, history
from app.services.api.feed import Filters
from tests.support.databases import on_postgresql
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows
from tests.support.subscription_rows import insert_changed_at, insert_rows

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
AHEAD_OF_ANY_SERVER = 2**40


def db(app: Flask, command: str) -> Result:
    return app.test_cli_runner().invoke(args=["db", command])


def pretend_dump_of_a_busier_server(app: Flask) -> None:
    """Give the subscriptions numbers that this server's transactions reach in years."""
    run_transaction(
        app,
        lambda connection: connection.execute(update(Subscription).values(change_number=AHEAD_OF_ANY_SERVER)),
    )


@pytest.mark.parametrize("limit", [1, 200])
def test_restored_backup_is_read_from_the_beginning(app: Flask, limit: int) -> None:
    subscription_ids = insert_changed_at(app, *[LONG_AGO] * 3)
    with app.app_context():
        cursor = cursors.decode(feed.page(Filters(), cursors.INITIAL, 200).cursor)

        result = db(app, "after-restore")
        page = feed.page(Filters(), cursor, limit)

    assert (result.exit_code, result.stdout) == (
        0,
        "A backup was restored: the programs that read the API are sent every subscription once more.\n",
    )
    assert [item.subscription.id for item in page.items] == subscription_ids[:limit]


@on_postgresql
def test_upgrade_numbers_a_dump_of_another_server_anew(app: Flask) -> None:
    subscription_ids = insert_changed_at(app, *[LONG_AGO] * 3)
    pretend_dump_of_a_busier_server(app)
    with app.app_context():
        before = feed.page(Filters(), cursors.INITIAL, 200).items
        assert history.is_of_another_server()

        first, second = db(app, "upgrade"), db(app, "upgrade")
        after = feed.page(Filters(), cursors.INITIAL, 200).items

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert ("restored" in first.stdout, "restored" in second.stdout) == (True, False)
    assert before == []
    assert [item.subscription.id for item in after] == subscription_ids


def test_upgrade_keeps_the_numbers_of_this_server(app: Flask) -> None:
    insert_changed_at(app, LONG_AGO)
    before = [(row.epoch, row.last_number) for row in all_rows(app, Feed)]

    result = db(app, "upgrade")

    assert (result.exit_code, result.stdout) == (0, "")
    assert [(row.epoch, row.last_number) for row in all_rows(app, Feed)] == before


@on_postgresql
def test_open_transaction_is_seen_to_hold_the_feed_up(app: Flask) -> None:
    with app.app_context():
        with transactions.current_database().write_engine.begin() as connection:
            insert_rows(connection, LONG_AGO)
            insert_changed_at(app, datetime.now(UTC) - timedelta(seconds=90))
            held_up = history.seconds_held_up()
        afterwards = history.seconds_held_up()

    assert 90 <= held_up < 120
    assert afterwards == 0
