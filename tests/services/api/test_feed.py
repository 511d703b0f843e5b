"""The feed: nothing that changes is missed, whatever else is written meanwhile, and every walk ends."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import text
from uuid_utils.compat import uuid7

from app.database import engine as database_engine
from app.models import Subscription
from app.services.api import cursors, feed
from app.services.api.cursors import INITIAL, Cursor
from app.services.api.feed import Filters, Page
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.stored_rows import all_rows
from tests.support.subscription_rows import insert_changed_at, insert_rows, update_subscription

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
EVERYTHING = Filters()
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
    """The feed is read from within the application."""
    with app.app_context():
        yield


def pages(after: Cursor = INITIAL, limit: int = 7, now: datetime = NOW, wanted: Filters = EVERYTHING) -> Iterator[Page]:
    """Walk from the cursor to the end."""
    more = True
    while more:
        page = feed.page(wanted, after, limit, now)
        yield page
        after, more = cursors.decode(page.cursor), page.more


def ids(*walked: Page) -> list[UUID]:
    return [item.subscription.id for page in walked for item in page.items]


def end(walked: list[Page]) -> Cursor:
    return cursors.decode(walked[-1].cursor)


@pytest.mark.parametrize("limit", [7, 200])
def test_hundreds_are_walked_page_by_page_and_none_is_missed_or_comes_twice(app: Flask, limit: int) -> None:
    # Many changed in the same moment, as after a migration, and some a microsecond apart.
    moments = [LONG_AGO + timedelta(microseconds=number // 30) for number in range(310)]
    insert_changed_at(app, *moments)
    wanted = sorted((row.changed_at, row.id) for row in all_rows(app, Subscription))

    walked = list(pages(limit=limit))

    assert ids(*walked) == [subscription_id for _, subscription_id in wanted]
    assert all(len(page.items) == limit for page in walked[:-1])


def test_after_the_end_nothing_comes_until_something_changes(app: Flask) -> None:
    first, second, _ = insert_changed_at(app, LONG_AGO, LONG_AGO, LONG_AGO)
    walked = list(pages())

    nothing = list(pages(end(walked)))
    update_subscription(app, second, NOW - seconds(90))
    then = list(pages(end(nothing)))

    assert ids(*nothing) == []
    assert ids(*then) == [second]
    assert first not in ids(*then)


def test_changes_during_a_walk_are_told_by_it_or_by_the_next(app: Flask) -> None:
    known = insert_changed_at(app, *(LONG_AGO + seconds(number) for number in range(60)))
    told: dict[UUID, datetime] = {}

    for number, page in enumerate(pages(limit=5)):
        told |= {item.subscription.id: item.changed_at for item in page.items}
        if number < 10:
            # One that has been read, one that has not, and a new one.
            update_subscription(app, known[number], NOW - seconds(50 - number))
            update_subscription(app, known[-number - 1], NOW - seconds(40 - number))
            insert_changed_at(app, NOW - seconds(30 - number))

    assert told == {row.id: row.changed_at for row in all_rows(app, Subscription)}
    assert len(told) == 70


@pytest.mark.parametrize("limit", [1, 2, 200])
def test_a_transaction_that_began_earlier_and_ended_later_is_found_by_the_next_walk(app: Flask, limit: int) -> None:
    insert_changed_at(app, LONG_AGO, *(NOW - seconds(number) for number in range(5)))
    with database_engine.current_database().write_engine.connect() as late, late.begin():
        [missed] = insert_rows(late, NOW - seconds(20))
        walked = list(pages(limit=limit))
    assert missed not in ids(*walked)

    then = list(pages(end(walked), limit=limit, now=NOW + seconds(5)))

    assert missed in ids(*then)


def test_a_walk_that_takes_long_misses_no_late_transaction_either(app: Flask) -> None:
    insert_changed_at(app, LONG_AGO, *(NOW - seconds(number) for number in range(5)))
    with database_engine.current_database().write_engine.connect() as late, late.begin():
        [missed] = insert_rows(late, NOW - seconds(4.5))
        first = feed.page(EVERYTHING, INITIAL, 3, NOW)
    assert first.more

    later = NOW + timedelta(minutes=10)
    rest = list(pages(cursors.decode(first.cursor), limit=3, now=later))
    then = list(pages(end(rest), limit=3, now=later))

    assert missed not in ids(first, *rest)
    assert missed in ids(*then)


def test_what_changed_in_the_last_minute_comes_again_and_still_every_walk_ends(app: Flask) -> None:
    old = insert_changed_at(app, LONG_AGO)
    young = insert_changed_at(app, *(NOW - seconds(number) for number in range(20)))
    walked = list(pages(limit=3))

    again = list(pages(end(walked), limit=3))
    a_minute_later = list(pages(end(again), limit=3, now=NOW + seconds(61)))
    in_the_end = list(pages(end(a_minute_later), limit=3, now=NOW + seconds(61)))

    assert set(ids(*walked)) == {*old, *young}
    assert len(walked) == len(again) == 7
    assert set(ids(*again)) == set(ids(*a_minute_later)) == set(young)
    assert ids(*in_the_end) == []


def test_a_walk_never_ends_before_where_it_began(app: Flask) -> None:
    insert_changed_at(app, NOW - seconds(10), NOW - seconds(5))
    begun = cursors.decode(next(pages(limit=1)).cursor)
    settled = Cursor(begun.position, begun.position)

    assert end(list(pages(settled, limit=1))) == settled


def test_a_clock_that_runs_ahead_hides_nothing(app: Flask) -> None:
    [ahead] = insert_changed_at(app, NOW + seconds(30))
    walked = list(pages())

    behind = insert_changed_at(app, NOW)

    assert ids(*pages(end(walked))) == [*behind, ahead]


def test_filters_and_scopes_leave_what_they_say(app: Flask) -> None:
    insert_changed_at(app, LONG_AGO, agreement_id="first", customer_aws_account_id="012345678901")
    insert_changed_at(app, LONG_AGO, agreement_id="second", status="ended", customer_aws_account_id="123456789012")
    insert_changed_at(
        app, LONG_AGO, agreement_id="third", product_code=OTHER_PRODUCT_CODE, customer_aws_account_id=None
    )

    for wanted, found in FILTERED:
        walked = list(pages(limit=1, wanted=wanted))

        assert {item.subscription.agreement_id for page in walked for item in page.items} == found


def test_a_subscription_is_found_by_every_id_it_had(app: Flask) -> None:
    former = [uuid7(), uuid7()]
    [kept] = insert_changed_at(app, LONG_AGO, former_ids=[str(one) for one in former])
    insert_changed_at(app, LONG_AGO)

    found = [feed.find_subscription(EVERYTHING, one) for one in (kept, *former, uuid4())]

    assert [item and item.subscription.id for item in found] == [kept, kept, kept, None]


def test_another_product_is_not_found_by_any_id(app: Flask) -> None:
    former = uuid7()
    [kept] = insert_changed_at(app, LONG_AGO, product_code=OTHER_PRODUCT_CODE, former_ids=[str(former)])
    scoped = Filters(product_codes=frozenset({PRODUCT_CODE}))

    assert feed.find_subscription(scoped, kept) is None
    assert feed.find_subscription(scoped, former) is None


def test_the_walk_reads_the_index_and_sorts_nothing(app: Flask) -> None:
    insert_changed_at(app, *(LONG_AGO + seconds(number) for number in range(3000)))
    half_way = cursors.Position(LONG_AGO + seconds(1500), cursors.MIN_ID)

    plan = explained(feed.select_after(EVERYTHING, half_way).limit(51))

    assert "ix_subscriptions_changed_at_id" in plan
    assert "SCAN" not in plan.upper().replace("INDEX SCAN", "")
    assert "SORT" not in plan.upper()
    assert "TEMP B-TREE" not in plan.upper()


def explained(statement: Any) -> str:
    """Return how the database means to answer the statement."""
    engine = database_engine.current_database().write_engine
    spelt = statement.compile(engine, compile_kwargs={"literal_binds": True})
    word = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
        rows = connection.execute(text(f"{word} {spelt}".replace(":", r"\:"))).all()
    return "\n".join(str(row[-1]) for row in rows)
