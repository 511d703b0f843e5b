"""A crash of PostgreSQL, which then gives numbers of lost transactions again, hides no change."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from app import create_app
from app.database import transactions
from tests.conftest import migrate
from tests.support import factories
from tests.support.feed_pages import end, ids, pages
from tests.support.postgresql_server import PostgresqlServer
from tests.support.subscription_rows import insert_changed_at

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOST_TRANSACTIONS = 50


def test_numbers_that_a_crash_gives_again_are_read(tmp_path: Path) -> None:
    with PostgresqlServer(tmp_path, durable=True) as server:
        url = server.create_database("feed")
        migrate(url)
        with factories.open_app(create_app(factories.settings(database_url=url))) as app, app.app_context():
            insert_changed_at(app, NOW)
            waste_numbers(LOST_TRANSACTIONS)
            read = list(pages())
            server.stop_immediately()
            server.start()
            transactions.current_database().read_engine.dispose()

            added_ids = [insert_changed_at(app, NOW)[0] for _ in range(LOST_TRANSACTIONS + 10)]

            assert ids(*pages(end(read))) == added_ids


def waste_numbers(count: int) -> None:
    """Begin so many transactions that get a number and leave nothing."""
    for _ in range(count):
        with transactions.current_database().write_engine.connect() as connection:
            connection.execute(text("SELECT pg_current_xact_id()"))
            connection.rollback()
