"""Hours without usage: a product that asks for it sends 0 for them, never before its usage can have come."""

from datetime import timedelta
from itertools import pairwise

import pytest

from app.database import transactions
from app.services.billing import zeros
from tests.support import database_cost
from tests.support.metered_product import DIMENSION, MeteredProduct, at
from tests.support.subscription_rows import insert_rows

DIMENSIONS = (DIMENSION, "api_calls")


@pytest.fixture(autouse=True)
def heartbeat(metered: MeteredProduct) -> None:
    """Let the product send 0, and have been started at 09:30, so that nothing before is made up for."""
    metered.set_rules(heartbeat=True, dimensions=DIMENSIONS)
    metered.work()


def sent(metered: MeteredProduct) -> list[tuple[int, str, int]]:
    """Return the hour, counted from 28 November 00:00, the dimension and the quantity of each record."""
    return sorted(
        (int((record.hour - at("00:00")) / timedelta(hours=1)), record.dimension, int(record.quantity))
        for record in metered.records()
    )


def test_item_within_the_grace_time_is_not_hidden_by_a_zero(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.work_until(at("11:05"), step=timedelta(minutes=5))
    metered.use(purchase, "3", at=at("10:59"))

    metered.work_until(at("11:30"), step=timedelta(minutes=5))

    assert sent(metered) == [(10, "api_calls", 0), (10, DIMENSION, 3)]
    assert set(metered.states()) == {"billed"}


def test_idle_hours_are_zeros_until_the_subscription_ends(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.set_clock(at("09:59:50"))
    metered.work_until(at("06:00:01", day=29))
    metered.act(purchase, "expire")

    metered.work_until(at("10:30", day=30))

    assert sent(metered) == [(hour, name, 0) for hour in range(10, 30) for name in sorted(DIMENSIONS)]
    assert set(metered.states()) == {"billed"}


def test_running_hour_and_part_of_an_hour_have_no_zero(metered: MeteredProduct) -> None:
    metered.buy()
    pending = metered.buy(actions="")
    metered.work_until(at("11:59"))
    metered.act(pending, "confirm")
    metered.work_until(at("12:30"))

    assert [hour for hour, _, _ in sent(metered)] == [10, 10, 11, 11]


def test_hours_that_no_worker_saw_are_made_up_for(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.set_clock(at("14:20", day=29))
    metered.use(purchase, "7", at=at("12:00", day=29))
    metered.zeros = zeros.Zeros()

    metered.work()
    metered.work_until(at("14:40", day=29))

    first = 24 + 14 - 23 + 1
    assert sorted({hour for hour, _, _ in sent(metered)}) == list(range(first, 24 + 14))
    assert (24 + 12, DIMENSION, 7) in sent(metered)


def test_subscription_by_the_product_code_has_zeros_in_that_form(metered: MeteredProduct) -> None:
    metered.buy(style="old")

    metered.work_until(at("11:30"))

    assert {record.form for record in metered.records()} == {"product_code"}
    assert len(metered.records()) == 2


def test_other_worker_makes_no_second_zeros(metered: MeteredProduct) -> None:
    metered.buy()
    metered.set_clock(at("11:20"))

    for _ in range(2):
        while zeros.Zeros().make_next():
            pass
        metered.work()

    assert len(metered.records()) == 2


def test_product_without_zeros_costs_no_query(metered: MeteredProduct) -> None:
    metered.set_rules()

    with database_cost.counted(metered.app) as cost:
        assert metered.zeros.make_next() is None

    assert cost.statements == 0


def test_zeros_of_a_whole_day_are_made_in_short_transactions(metered: MeteredProduct) -> None:
    metered.set_rules(heartbeat=True, dimensions=[f"meter-{number:02d}" for number in range(12)])
    with transactions.current_database().write_engine.begin() as connection:
        for number in range(5):
            names = {"customer_aws_account_id": f"01234567890{number}", "status_since": at("00:00", day=27)}
            insert_rows(connection, at("00:00", day=27), **names)
    metered.set_clock(at("00:15", day=29))
    made, counts = zeros.Zeros(), [0]

    while made.make_next():
        counts.append(len(metered.hours()))

    # Those since the worker was there last.
    assert counts[-1] == 5 * 12 * 15
    assert max(later - earlier for earlier, later in pairwise(counts)) <= zeros.BATCH_ZEROS
