"""The feed: pages without gaps, filters, and look-ups by id."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import text
from uuid_utils.compat import uuid7

from app.database import transactions
from app.models import Subscription
from app.services.api import cursors, feed
from app.services.api.cursors import INITIAL
from app.services.api.feed import Filters
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.feed_pages import EVERYTHING, end, ids, pages
from tests.support.stored_rows import all_rows
from tests.support.subscription_rows import insert_changed_at, update_subscription

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
FILTERED: list[tuple[Filters, set[str]]] = [
    (Filters(), {"first", "second", "third"}),
    (Filters(status="ended"), {"second"}),
    (Filters(product_code=OTHER_PRODUCT_CODE), {"third"}),
    (Filters(customer_aws_account_id="012345678901"), {"first"}),
    (Filters(product_codes=frozenset({PRODUCT_CODE})), {"first", "second"}),
    (Filters(product_codes=frozenset({PRODUCT_CODE}), product_code=OTHER_PRODUCT_CODE), set()),
    (Filters(product_codes=frozenset()), set()),
    (Filters(registered=True), set()),
]


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@pytest.fixture(autouse=True)
def in_context(app: Flask) -> Iterator[None]:
    """Runs every test in the application's context."""
    with app.app_context():
        yield


@pytest.mark.parametrize("limit", [7, 200])
def test_hundreds_of_rows_are_paged_without_gaps_or_repeats(app: Flask, limit: int) -> None:
    # Thirty rows share each moment, as after a migration; the moments are a microsecond apart.
    moments = [LONG_AGO + timedelta(microseconds=number // 30) for number in range(310)]
    insert_changed_at(app, *moments)
    expected = sorted((row.change_number, row.id) for row in all_rows(app, Subscription))

    scanned = list(pages(limit=limit))

    assert ids(*scanned) == [subscription_id for _, subscription_id in expected]
    assert all(len(page.items) == limit for page in scanned[:-1])


def test_feed_is_empty_after_its_end_until_a_row_changes(app: Flask) -> None:
    first, second, _ = insert_changed_at(app, LONG_AGO, LONG_AGO, LONG_AGO)
    scanned = list(pages())

    unchanged = list(pages(end(scanned)))
    update_subscription(app, second, NOW - seconds(90))
    changed = list(pages(end(unchanged)))

    assert ids(*unchanged) == []
    assert ids(*changed) == [second]
    assert first not in ids(*changed)


def test_changes_during_a_scan_are_returned_by_it_or_the_next(app: Flask) -> None:
    subscription_ids = insert_changed_at(app, *(LONG_AGO + seconds(number) for number in range(60)))
    changed_at_by_id: dict[UUID, datetime] = {}

    for number, page in enumerate(pages(limit=5)):
        changed_at_by_id |= {item.subscription.id: item.changed_at for item in page.items}
        if number < 10:
            # A row that has been read, a row that has not, and a new row.
            update_subscription(app, subscription_ids[number], NOW - seconds(50 - number))
            update_subscription(app, subscription_ids[-number - 1], NOW - seconds(40 - number))
            insert_changed_at(app, NOW - seconds(30 - number))

    assert changed_at_by_id == {row.id: row.changed_at for row in all_rows(app, Subscription)}
    assert len(changed_at_by_id) == 70


def test_filtered_feed_without_matches_moves_on(app: Flask) -> None:
    ended = Filters(status="ended")
    insert_changed_at(app, *[LONG_AGO] * 3)

    started = end(list(pages(filters=ended)))
    insert_changed_at(app, NOW)
    [moved] = pages(started, filters=ended)

    assert started.number > INITIAL.number
    assert cursors.decode(moved.cursor).number > started.number


def test_filters_and_token_scopes_select_matching_rows(app: Flask) -> None:
    insert_changed_at(app, LONG_AGO, agreement_id="first", customer_aws_account_id="012345678901")
    insert_changed_at(app, LONG_AGO, agreement_id="second", status="ended", customer_aws_account_id="123456789012")
    insert_changed_at(
        app, LONG_AGO, agreement_id="third", product_code=OTHER_PRODUCT_CODE, customer_aws_account_id=None
    )

    for filters, agreement_ids in FILTERED:
        scanned = list(pages(limit=1, filters=filters))

        assert {item.subscription.agreement_id for page in scanned for item in page.items} == agreement_ids


def test_subscription_is_found_by_every_former_id(app: Flask) -> None:
    former_ids = [uuid7(), uuid7()]
    [subscription_id] = insert_changed_at(app, LONG_AGO, former_ids=[str(former_id) for former_id in former_ids])
    insert_changed_at(app, LONG_AGO)

    items = [feed.find_subscription(EVERYTHING, id_) for id_ in (subscription_id, *former_ids, uuid4())]

    assert [item and item.subscription.id for item in items] == [*[subscription_id] * 3, None]


def test_subscription_of_another_product_is_not_found_by_any_id(app: Flask) -> None:
    former_id = uuid7()
    [subscription_id] = insert_changed_at(app, LONG_AGO, product_code=OTHER_PRODUCT_CODE, former_ids=[str(former_id)])
    scoped = Filters(product_codes=frozenset({PRODUCT_CODE}))

    assert feed.find_subscription(scoped, subscription_id) is None
    assert feed.find_subscription(scoped, former_id) is None


def test_feed_query_uses_the_index_and_does_not_sort(app: Flask) -> None:
    subscription_ids = insert_changed_at(app, *[LONG_AGO] * 3000)
    first = cursors.decode(feed.page(EVERYTHING, INITIAL, 1).cursor)
    half_way = replace(first, id=subscription_ids[1500])

    plan = explain(feed.select_between(EVERYTHING, half_way, cursors.MAX_NUMBER).limit(51))

    assert "ix_subscriptions_change_number_id" in plan
    assert "SCAN" not in plan.upper().replace("INDEX SCAN", "")
    assert "SORT" not in plan.upper()
    assert "TEMP B-TREE" not in plan.upper()


def explain(statement: Any) -> str:
    """Return the database's query plan."""
    engine = transactions.current_database().write_engine
    sql = statement.compile(engine, compile_kwargs={"literal_binds": True})
    keyword = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
        rows = connection.execute(text(f"{keyword} {sql}".replace(":", r"\:"))).all()
    return "\n".join(str(row[-1]) for row in rows)
