"""The sum of what is billed is the sum of what was accepted, by license, month and dimension."""

import random
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.metering import dimensions
from tests.support import factories
from tests.support.metered_product import DIMENSION, MeteredProduct, at

DIMENSIONS = [dimension.key for dimension in dimensions.METERED]


def test_items_in_any_order_and_repeated_are_billed_once(metered: MeteredProduct) -> None:
    numbers = random.Random(16)  # noqa: S311
    purchases = [metered.buy() for _ in range(12)]
    metered.set_clock(at("12:50"))
    items = [
        metered.item(
            numbers.choice(purchases),
            f"{numbers.randrange(10**6)}.{numbers.randrange(1, 10**6):06d}",
            dimension=numbers.choice(DIMENSIONS),
            at=at("09:31") + timedelta(seconds=numbers.randrange(3 * 3600)),
        )
        for _ in range(600)
    ]
    sent = [item for item in items for _ in range(numbers.randint(1, 3))]
    numbers.shuffle(sent)

    for first in range(0, len(sent), 300):
        metered.accept(*sent[first : first + 300])
    metered.work_until(at("13:30"))

    assert len(metered.accepted) == 600
    metered.assert_all_billed()


@pytest.mark.parametrize(("groups", "calls"), [(25, 1), (26, 2), (51, 3)])
def test_hours_are_sent_25_at_a_time(metered: MeteredProduct, groups: int, calls: int) -> None:
    purchases = [metered.buy() for _ in range(-(-groups // len(DIMENSIONS)))]
    pairs = [(purchase, name) for purchase in purchases for name in DIMENSIONS][:groups]
    metered.accept(*(metered.item(purchase, dimension=name) for purchase, name in pairs))

    metered.work_until(at("10:10"))

    metered.assert_all_billed()
    assert [len(call.records) for call in metered.calls()] == [25] * (groups // 25) + [groups % 25] * bool(groups % 25)
    assert len(metered.calls()) == calls


def test_hours_with_many_tags_are_sent_in_calls_below_1_mb(metered: MeteredProduct) -> None:
    purchases = [metered.buy() for _ in range(25)]
    values = "v" * 250
    for purchase in purchases:
        tags = [{f"key-{number}": f"{values}{number:04d}" for number in range(5)} for _ in range(40)]
        metered.accept(*(metered.item(purchase, "0.5", tags={**one, "key-0": f"{i}"}) for i, one in enumerate(tags)))

    metered.work_until(at("10:10"))

    metered.assert_all_billed()
    assert 2 <= len(metered.calls()) <= 3
    assert sum(len(call.records) for call in metered.calls()) == 25


def test_products_never_share_a_call(metered: MeteredProduct) -> None:
    metered.set_rules(factories.OTHER_PRODUCT_CODE)
    purchases = [
        metered.buy(product_code=code, account_id=account_id, style=style)
        for code in factories.PRODUCT_CODES
        for account_id, style in (("012345678901", "new"), ("112345678901", "old"))
    ]
    for purchase in purchases:
        metered.use(purchase)

    metered.work_until(at("10:10"))

    assert [len(call.records) for call in metered.calls()] == [1] * 4
    metered.assert_all_billed()


def test_two_licenses_of_an_account_are_billed_both(metered: MeteredProduct) -> None:
    first, second = (metered.buy(account_id="012345678901") for _ in range(2))
    metered.use(first, "2")
    metered.use(second, "3")

    metered.work_until(at("10:10"))

    assert metered.billed() == {
        (first.license_arn, "2026-11", DIMENSION): Decimal(2),
        (second.license_arn, "2026-11", DIMENSION): Decimal(3),
    }
    metered.assert_all_billed()


def test_usage_before_a_renewal_is_the_earlier_licenses(metered: MeteredProduct) -> None:
    before = metered.buy()
    metered.set_clock(at("10:20"))
    subscription = str(metered.subscription(before).id)
    metered.use(before, "1", subscription=subscription)
    metered.set_clock(at("10:30"))
    metered.sandbox.marketplace.apply_action(before, "renew", new_license=True)
    metered.deliver_events()
    after = metered.sandbox.marketplace.get_purchase(before.id)
    metered.set_clock(at("10:40"))
    metered.use(before, "2", subscription=subscription, at=at("10:25"))
    metered.use(before, "4", subscription=subscription)
    metered.use(before, "8", subscription=subscription, at=at("10:30"))

    metered.work_until(at("12:00"))

    assert metered.billed() == {
        (before.license_arn, "2026-11", DIMENSION): Decimal(3),
        (after.license_arn, "2026-11", DIMENSION): Decimal(12),
    }
    assert metered.states() == ["billed", "billed"]


@pytest.mark.parametrize("used_at", ["10:45", "10:38"])
def test_record_is_not_from_before_the_licenses_start(metered: MeteredProduct, used_at: str) -> None:
    metered.set_clock(at("10:40"))
    purchase = metered.buy()
    metered.set_clock(at("10:50"))
    metered.use(purchase, at=at(used_at))

    metered.work_until(at("11:10"))

    metered.assert_all_billed()
    assert metered.records()[0].timestamp >= at("10:40")


def test_usage_from_just_before_the_start_is_billed_in_its_hour(metered: MeteredProduct) -> None:
    metered.set_clock(at("11:00:20"))
    purchase = metered.buy()
    metered.use(purchase, "1", at=at("10:59:50"))
    metered.use(purchase, "2")

    metered.work_until(at("12:30"))

    metered.assert_all_billed()


def test_whole_units_carry_the_rest_to_the_next_hour(metered: MeteredProduct) -> None:
    metered.set_rules(unit="whole")
    metered.set_clock(at("00:00", day=10))
    purchase = metered.buy()
    for _ in range(100):
        metered.advance(minutes=30)
        metered.use(purchase, "0.3")
        metered.advance(minutes=30)
        # As a worker does that is not always there.
        if metered.now.hour % 8 == 0:
            metered.work()
    metered.advance(minutes=30)
    metered.work()

    assert len(metered.records()) == 100
    assert metered.billed() == {(purchase.license_arn, "2026-11", DIMENSION): Decimal(30)}
    metered.assert_all_billed()


@pytest.mark.parametrize(("rounded", "total"), [("up", 3), ("down", 2)])
def test_last_hour_rounds_the_rest_by_the_products_rule(metered: MeteredProduct, rounded: str, total: int) -> None:
    metered.set_rules(unit="whole", last_remainder=rounded)
    purchase = metered.buy()
    metered.use(purchase, "1.7")
    metered.set_clock(at("10:30"))
    metered.use(purchase, "0.9")
    metered.act(purchase, "expire")
    metered.work_until(at("11:29:30"))

    assert metered.billed() == {(purchase.license_arn, "2026-11", DIMENSION): Decimal(total)}


def test_rest_that_was_rounded_up_counts_for_later_items(metered: MeteredProduct) -> None:
    metered.set_rules(unit="whole", grace_minutes=0)
    purchase = metered.buy()
    metered.set_clock(at("11:10"))
    metered.use(purchase, "0.6", at=at("10:59"))
    metered.act(purchase, "expire")
    metered.work_until(at("11:12"))
    # The earlier hour is frozen when the later one was rounded up already.
    metered.use(purchase, "0.3", at=at("09:59"))

    metered.work_until(at("12:10"))

    assert metered.billed() == {(purchase.license_arn, "2026-11", DIMENSION): Decimal(1)}


def test_picos_are_carried_until_they_are_a_millionth(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    for hour in range(10, 14):
        metered.set_clock(at(f"{hour}:30"))
        metered.use(purchase, "0.00000025")
    metered.work_until(at("14:10"))

    metered.assert_all_billed()


@pytest.mark.parametrize(
    "used_at",
    [
        "2026-11-28T09:45:00+00:00",
        "2026-11-28T15:15:00+05:30",
        "2026-11-28T05:45:00-04:00",
        "2026-11-28T09:45:60Z",
    ],
)
def test_hours_are_of_utc(metered: MeteredProduct, used_at: str) -> None:
    purchase = metered.buy()
    metered.set_clock(at("09:50"))
    [verdict] = metered.accept(metered.item(purchase) | {"at": used_at})
    assert verdict.verdict == "accepted"

    metered.work_until(at("10:10"))

    assert [record.hour for record in metered.records()] == [at("09:00")]


@pytest.mark.parametrize(
    "day",
    [
        # The nights in which clocks are set in Europe and in the USA, a leap day, and the year's last day.
        "2027-03-28",
        "2026-10-25",
        "2027-03-14",
        "2026-11-01",
        "2028-02-29",
        "2026-12-31",
    ],
)
def test_every_hour_of_a_special_day_is_billed(metered: MeteredProduct, day: str) -> None:
    start = datetime.fromisoformat(f"{day}T00:00Z")
    metered.set_clock(start)
    purchase = metered.buy()
    for _ in range(25):
        metered.advance(minutes=30)
        metered.use(purchase, "1.1")
        metered.advance(minutes=30)
        if metered.now.hour % 8 == 0:
            metered.work()
    metered.advance(minutes=15)
    metered.work()

    assert sorted(record.hour for record in metered.records()) == [start + timedelta(hours=n) for n in range(25)]
    metered.assert_all_billed()
