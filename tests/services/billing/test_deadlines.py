"""Late items, months that close, and a long outage of AWS: what can be billed in time is, and the rest is named."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.support.metered_product import DIMENSION, MeteredProduct, at


def test_late_item_is_billed_in_the_next_hour(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase, "1")
    metered.work_until(at("10:30"))

    [verdict] = metered.accept(metered.item(purchase, "2", at=at("09:59")))
    metered.work_until(at("11:10"))

    assert verdict.detail == "Late: it is billed in the hour 2026-11-28T10:00Z."
    assert [(record.hour, record.quantity) for record in metered.records()] == [
        (at("09:00"), Decimal(1)),
        (at("10:00"), Decimal(2)),
    ]
    metered.assert_all_billed()


def test_late_item_is_held_where_the_product_says_so(metered: MeteredProduct) -> None:
    metered.set_rules(late_usage="hold")
    purchase = metered.buy()
    metered.use(purchase, "1")
    metered.work_until(at("10:30"))

    [verdict] = metered.accept(metered.item(purchase, "2", at=at("09:59")))
    metered.work_until(at("12:10"))

    assert (verdict.detail or "").startswith("Held")
    metered.assert_all_billed()


def test_item_of_a_month_that_is_frozen_is_not_billed_in_the_next(metered: MeteredProduct) -> None:
    metered.set_clock(at("22:30", day=30))
    purchase = metered.buy()
    metered.set_clock(at("23:30", day=30))
    metered.use(purchase, "1")
    metered.work_until(at("00:30", day=1, month=12))
    metered.use(purchase, "4")

    [verdict] = metered.accept(metered.item(purchase, "2", at=at("23:59:59", day=30)))
    metered.work_until(at("02:00", day=1, month=12))

    assert (verdict.detail or "").startswith("Held")
    assert metered.billed() == {
        (purchase.license_arn, "2026-11", DIMENSION): Decimal(1),
        (purchase.license_arn, "2026-12", DIMENSION): Decimal(4),
    }
    metered.assert_all_billed()


def survive_outage(metered: MeteredProduct, start: datetime, outage: timedelta) -> None:
    """Use something in the hours from 9 to 13, and let AWS be down from the start for that long."""
    metered.set_clock(at("08:00"))
    purchase = metered.buy()
    metered.set_clock(at("09:30"))
    metered.use(purchase, "9")
    metered.work_until(start)
    metered.sandbox.marketplace.change_faults(aws_down=True)
    for hour in range(10, 14):
        metered.set_clock(max(at(f"{hour}:20"), start))
        metered.use(purchase, f"{hour}")
    metered.work_until(at("14:30"))
    # The worst moment of the last try that fails.
    metered.work_at(start + outage - timedelta(seconds=1))

    metered.set_clock(start + outage)
    metered.sandbox.marketplace.change_faults(aws_down=False)
    metered.work()
    metered.work_until(start + outage + timedelta(minutes=10))


@pytest.mark.parametrize(
    ("grace_minutes", "outage"),
    [
        (10, timedelta(hours=20)),
        (10, timedelta(hours=23, minutes=46)),
        (5, timedelta(hours=23, minutes=50)),
        (0, timedelta(hours=23, minutes=50)),
    ],
)
def test_all_is_billed_after_an_outage_that_is_shorter_than_a_day(
    metered: MeteredProduct, grace_minutes: int, outage: timedelta
) -> None:
    metered.set_rules(grace_minutes=grace_minutes)

    survive_outage(metered, at("10:01") + timedelta(minutes=grace_minutes), outage)

    metered.assert_all_billed()


@pytest.mark.parametrize(("hours", "first"), [(22, "billed"), (23, "expired")])
def test_hour_that_an_outage_finds_unsent_is_billed_for_22_hours(
    metered: MeteredProduct, hours: int, first: str
) -> None:
    # Just before hour 9 is sent, of which AWS takes usage until 08:58.
    survive_outage(metered, at("10:09"), timedelta(hours=hours))

    assert metered.states() == [first, "billed", "billed", "billed", "billed"]


def test_outage_of_more_than_a_day_expires_the_oldest_hours_alone(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    for hour in range(10, 14):
        metered.set_clock(at(f"{hour}:01"))
        metered.use(purchase, f"{hour}")
    metered.sandbox.marketplace.change_faults(aws_down=True)
    metered.work_until(at("14:30"))

    metered.set_clock(at("11:55", day=29))
    metered.sandbox.marketplace.change_faults(aws_down=False)
    metered.work()
    metered.work_until(at("12:05", day=29))

    assert metered.states() == ["expired", "expired", "billed", "billed"]
    assert [hour.code for hour in metered.hours()] == ["AnswerLost", "AnswerLost", None, None]
    assert sum(record.quantity for record in metered.records()) == 12 + 13
    assert not [call for call in metered.calls() if call.error == "TimestampOutOfBoundsException"]


@pytest.mark.parametrize(
    ("sent_at", "state", "calls"),
    [
        (at("05:59:59", day=1, month=12), "billed", 1),
        (at("06:00:00", day=1, month=12), "expired", 0),
    ],
)
def test_last_month_is_sent_until_six_on_the_first(
    metered: MeteredProduct, sent_at: datetime, state: str, calls: int
) -> None:
    metered.set_clock(at("21:00", day=30))
    purchase = metered.buy()
    metered.set_clock(at("23:30", day=30))
    metered.use(purchase)

    metered.set_clock(sent_at)
    metered.work()

    assert metered.states() == [state]
    assert len(metered.calls()) == calls


def test_nothing_of_a_month_is_frozen_after_five_on_the_first(metered: MeteredProduct) -> None:
    metered.set_rules(grace_minutes=20 * 60)
    metered.set_clock(at("21:00", day=30))
    purchase = metered.buy()
    metered.set_clock(at("23:30", day=30))
    metered.use(purchase)

    metered.work_until(at("05:00", day=1, month=12))

    metered.assert_all_billed()


def test_hour_that_waits_is_tried_once_more_before_its_deadline(metered: MeteredProduct) -> None:
    metered.sandbox.marketplace.change_faults(not_subscribed=True)
    metered.set_clock(at("12:00", day=27))
    purchase = metered.buy()
    metered.set_clock(at("09:30"))
    metered.use(purchase)
    metered.work_until(at("10:30"))
    metered.set_clock(at("08:50", day=29))
    metered.work()
    assert metered.states() == ["frozen"]
    metered.sandbox.marketplace.change_faults(not_subscribed=False)

    metered.work_until(at("08:58", day=29))

    metered.assert_all_billed()


def test_hour_with_whole_units_carries_its_rest_over_the_months_end(metered: MeteredProduct) -> None:
    metered.set_rules(unit="whole")
    metered.set_clock(at("21:00", day=30))
    purchase = metered.buy()
    metered.set_clock(at("23:30", day=30))
    metered.use(purchase, "1.7")
    metered.set_clock(at("00:30", day=1, month=12))
    metered.use(purchase, "0.5")

    metered.work_until(at("02:00", day=1, month=12))

    assert metered.billed() == {
        (purchase.license_arn, "2026-11", DIMENSION): Decimal(1),
        (purchase.license_arn, "2026-12", DIMENSION): Decimal(1),
    }
