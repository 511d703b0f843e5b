"""Requests that name the same usage in opposite order wait for each other, and never in a circle.

Each of them runs into a row that is locked, in the middle of what it locks, and goes on when the others wait as well.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, select, text

from app.database import transactions
from app.models import Subscription, UsageHour
from app.services.metering import ends
from app.services.purchases import subscriptions
from sandbox.purchases import Purchase
from tests.support.at_once import count_deadlocks, run_at_once, run_into
from tests.support.databases import on_postgresql
from tests.support.metered_product import MeteredProduct, at

pytestmark = on_postgresql
NAMES = [f"meter-{number:02d}" for number in range(12)]
MIDDLE = NAMES[6]
INSERT_ITEM = text(
    "INSERT INTO usage_items SELECT (jsonb_populate_record(one, jsonb_build_object("
    "'id', gen_random_uuid(), 'item_id', CAST(:item_id AS text)))).* FROM usage_items one LIMIT 1"
)
INSERT_HOUR = text(
    "INSERT INTO usage_hours SELECT (jsonb_populate_record(one, jsonb_build_object("
    "'id', gen_random_uuid(), 'hour', one.hour + interval '1 hour'))).* FROM usage_hours one WHERE dimension = :name"
)


@contextmanager
def without_deadlocks() -> Iterator[None]:
    before = count_deadlocks()
    yield
    assert count_deadlocks() == before


def accept_at_once(metered: MeteredProduct, *requests: Sequence[dict[str, Any]]) -> None:
    with without_deadlocks():
        run_at_once(metered.app, *(partial(metered.accept, *items) for items in requests))


def each(metered: MeteredProduct, purchase: Purchase, **values: Any) -> list[dict[str, Any]]:
    """Return an item of each dimension."""
    return [metered.item(purchase, "1", dimension=name, **values) for name in NAMES]


def freeze_at(metered: MeteredProduct, moment: datetime) -> None:
    metered.set_clock(moment)
    metered.freeze()


def store_in_reverse(table: str, column: str) -> None:
    """Let the rows lie in the table in the reverse order of their ids: where nothing orders them, they are found so."""
    with transactions.current_database().write_engine.begin() as connection:
        for id_ in connection.scalars(text(f"SELECT id FROM {table} ORDER BY id DESC")).all():  # noqa: S608
            moved = f"UPDATE {table} SET {column} = {column} + interval '1 microsecond' WHERE id = :id"  # noqa: S608
            connection.execute(text(moved), {"id": id_})


def test_items_are_stored_in_one_order(metered: MeteredProduct) -> None:
    # The same ids for other usage: no hour is in both requests.
    first, second = metered.buy(), metered.buy()
    metered.use(first)
    one = [item | {"id": item["dimension"]} for item in each(metered, first)]
    other = [item | {"id": item["dimension"]} for item in each(metered, second)]

    with without_deadlocks():
        run_into(
            metered.app,
            INSERT_ITEM.bindparams(item_id=MIDDLE),
            partial(metered.accept, *one),
            partial(metered.accept, *reversed(other)),
        )


def test_hours_are_created_in_one_order(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.accept(*each(metered, purchase))
    metered.set_clock(at("10:30"))
    requests = each(metered, purchase), each(metered, purchase)[::-1]

    with without_deadlocks():
        run_into(
            metered.app,
            INSERT_HOUR.bindparams(name=MIDDLE),
            *(partial(metered.accept, *items) for items in requests),
        )


def test_hours_are_locked_in_the_order_of_the_end_of_a_license(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    # By whatever index they are found, the first is not the oldest.
    for item in reversed(each(metered, purchase)):
        metered.accept(item)
    subscription_id = metered.subscription(purchase).id
    store_in_reverse("usage_hours", "due_at")

    @transactions.transaction
    def lock_hours(connection: Connection) -> None:
        ends.lock_hours(connection, subscription_id)

    with without_deadlocks():
        run_into(
            metered.app,
            select(UsageHour.id).where(UsageHour.dimension == MIDDLE).with_for_update(),
            partial(metered.accept, *each(metered, purchase)),
            lock_hours,
        )


def test_open_hours_for_late_items_are_locked_in_one_order(metered: MeteredProduct) -> None:
    first, second = metered.buy(), metered.buy()
    for purchase in (first, second):
        metered.accept(*each(metered, purchase))
    freeze_at(metered, at("10:20"))
    for purchase in (first, second):
        metered.accept(*each(metered, purchase))

    # What is on time in one request, late items of the other are added to.
    for _ in range(8):
        on_time, late = each(metered, first), each(metered, second, at=at("09:31"))
        other_late, other_on_time = each(metered, first, at=at("09:31")), each(metered, second)
        accept_at_once(metered, on_time + late, other_late + other_on_time)


def test_hours_for_late_items_are_created_in_one_order(metered: MeteredProduct) -> None:
    first, second = metered.buy(), metered.buy()
    for purchase in (first, second):
        metered.accept(*each(metered, purchase))
    freeze_at(metered, at("10:20"))

    for number in range(8):
        metered.set_clock(at("10:21") + timedelta(hours=number))
        on_time, late = each(metered, first), each(metered, second, at=at("09:31"))
        other_late, other_on_time = each(metered, first, at=at("09:31")), each(metered, second)
        accept_at_once(metered, on_time + late, other_late + other_on_time)
        freeze_at(metered, metered.now + timedelta(minutes=50))


def test_subscriptions_are_locked_in_the_order_of_a_merge(metered: MeteredProduct) -> None:
    purchases = [metered.buy() for _ in range(5)]
    ids = [metered.subscription(purchase).id for purchase in purchases]
    # Some by their ids, and some by their licenses.
    items = [metered.item(one) for one in purchases[:3]]
    items += [metered.item(one) | {"subscription": str(id_)} for one, id_ in zip(purchases[3:], ids[3:], strict=True)]
    store_in_reverse("subscriptions", "changed_at")

    @transactions.transaction
    def lock_as_a_merge_does(connection: Connection) -> None:
        for id_ in sorted(ids):
            subscriptions.lock_row(connection, id_)

    with without_deadlocks():
        run_into(
            metered.app,
            select(Subscription.id).where(Subscription.id == ids[2]).with_for_update(),
            partial(metered.accept, *items),
            lock_as_a_merge_does,
        )
