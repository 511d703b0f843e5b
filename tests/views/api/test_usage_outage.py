"""Usage while the database is away or busy: 503 and nothing kept, or each item once; to send again is safe."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.database import transactions
from app.models import UsageHour, UsageItem
from app.services.metering import quantity
from tests.support import database_proxy, factories
from tests.support.database_proxy import DatabaseProxy
from tests.support.metered_product import at
from tests.support.stored_rows import all_rows
from tests.views.api.conftest import ApiClient, CreateSubscription, UsageSender, usage_item
from tests.views.api.test_problems import check_problem

SENDERS = 6
SQLITE_TRIGGER = "CREATE TRIGGER full BEFORE INSERT ON usage_items BEGIN SELECT RAISE(FAIL, 'full'); END"
POSTGRESQL_TRIGGER = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE disk_full; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON usage_items FOR EACH ROW EXECUTE FUNCTION full_disk()
"""
POSTGRESQL_DROP = "DROP FUNCTION full_disk CASCADE"


@pytest.fixture
def proxy(database_url: str) -> Iterator[DatabaseProxy]:
    with database_proxy.start(database_url) as proxy:
        yield proxy


@contextmanager
def failing_items(app: Flask) -> Iterator[None]:
    """Run the `with` block while the database fails at items, which are stored after their hours."""
    is_sqlite = transactions.current_database().sqlite_writer is not None
    created, dropped = (SQLITE_TRIGGER, "DROP TRIGGER full") if is_sqlite else (POSTGRESQL_TRIGGER, POSTGRESQL_DROP)
    transactions.write(lambda connection: connection.execute(text(created)))
    app.testing = False
    yield
    transactions.write(lambda connection: connection.execute(text(dropped)))


def test_outage_answers_503_and_keeps_nothing(
    app: Flask,
    environment: pytest.MonkeyPatch,
    proxy: DatabaseProxy,
    sender: ApiClient,
    create_subscription: CreateSubscription,
) -> None:
    items = [usage_item(id=f"item-{number}", subscription=str(create_subscription())) for number in range(3)]
    environment.setenv("DATABASE_URL", proxy.url)
    with factories.open_app(create_app()) as other:
        behind = ApiClient(other.test_client(), sender.token_id, sender.token)
        proxy.disconnect(other)
        unavailable = behind.report(items)
        proxy.reconnect()
        assert all_rows(app, UsageItem) == []
        again = [behind.report(items) for _ in range(2)]

    check_problem(unavailable, 503)
    assert int(unavailable.headers["Retry-After"]) > 0
    assert [response.status_code for response in again] == [200, 200]
    assert len(all_rows(app, UsageItem)) == 3


def test_request_that_fails_in_the_middle_keeps_nothing(app: Flask, usage: UsageSender) -> None:
    purchase = usage.metered.buy()
    usage.send(usage.metered.item(purchase, dimension="requests"))
    items = [usage.metered.item(purchase) for _ in range(3)]
    with failing_items(app):
        assert usage.post(items).status_code >= 500
        assert [hour.dimension for hour in all_rows(app, UsageHour)] == ["requests"]
    assert usage.statuses(*items) == [200, 200, 200]


def test_senders_of_the_same_items_at_once_count_them_once(app: Flask, usage: UsageSender) -> None:
    purchases = [usage.metered.buy() for _ in range(3)]
    items = [
        usage.metered.item(purchase, "0.1", at=at(moment), dimension=dimension)
        for purchase in purchases
        for moment in ("08:10", "08:50", "09:10")
        for dimension in ("gb_processed", "requests")
    ]
    answers: list[list[int]] = []

    def send(order: int) -> None:
        # In another order each: whoever locks several hours must not wait for another who does.
        answers.append(usage.statuses(*items[order:], *items[:order]))

    threads = [threading.Thread(target=send, args=[3 * number]) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [[200] * len(items)] * SENDERS
    stored = all_rows(app, UsageItem)
    assert sorted(item.item_id for item in stored) == sorted(item["id"] for item in items)
    for hour in all_rows(app, UsageHour):
        own = [quantity.join(item.micros, item.picos) for item in stored if item.hour_id == hour.id]
        assert sum(own) == quantity.join(hour.micros, hour.picos) > 0
