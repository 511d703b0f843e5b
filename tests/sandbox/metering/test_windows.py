"""When BatchMeterUsage takes usage: for a day, until the month is closed, and for an hour after a license's end."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.metering.conftest import (
    BOTH,
    BOUGHT_AT,
    CONTRACT,
    NOW,
    USAGE,
    Meter,
    by_account,
    by_identifier,
    record,
)

LICENSE_BEGAN_AT = BOUGHT_AT.replace(microsecond=0)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
FIRST_OF_DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "at", "is_taken"),
    [
        (NOW, NOW, True),
        (NOW, NOW + SECOND, False),
        (BOUGHT_AT + 2 * DAY, BOUGHT_AT + DAY + SECOND, True),
        (BOUGHT_AT + 2 * DAY, BOUGHT_AT + DAY, False),
        (FIRST_OF_DECEMBER.replace(hour=5, minute=59, second=59), FIRST_OF_DECEMBER - SECOND, True),
        (FIRST_OF_DECEMBER.replace(hour=6), FIRST_OF_DECEMBER - SECOND, False),
        (FIRST_OF_DECEMBER.replace(hour=6), FIRST_OF_DECEMBER, True),
    ],
    ids=["now", "future", "almost a day", "a day", "last month in time", "last month too late", "this month"],
)
def test_usage_is_taken_for_a_day_and_within_its_month(
    meter: Meter, now: datetime, at: datetime, is_taken: bool
) -> None:
    purchase = meter.buy()
    meter.set_clock(now)

    if is_taken:
        assert meter.statuses(record(purchase, at)) == ["Success"]
    else:
        assert meter.refusal(record(purchase, at)) == "TimestampOutOfBoundsException"


def test_usage_from_before_the_license_fails_the_call(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(BOUGHT_AT + HOUR)

    assert meter.refusal(record(purchase, BOUGHT_AT.replace(minute=0))) == "InvalidLicenseException"
    assert meter.statuses(record(purchase, LICENSE_BEGAN_AT)) == ["Success"]


def test_unconfirmed_purchase_is_not_subscribed_and_its_usage_counts_later(meter: Meter) -> None:
    purchase = meter.buy(actions="")
    usage = record(purchase, BOUGHT_AT + HOUR)
    meter.set_clock(BOUGHT_AT + 2 * HOUR)
    pending = meter.statuses(usage)

    meter.set_clock(BOUGHT_AT + 3 * HOUR)
    meter.sandbox.marketplace.apply_action(purchase, "confirm")

    assert [pending, meter.statuses(usage)] == [["CustomerNotSubscribed"], ["Success"]]


@pytest.mark.parametrize("actions", ["expire", "cancel expire", "fail_payment"])
def test_last_hour_is_open_until_an_hour_after_the_license(meter: Meter, actions: str) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    for action in actions.split():
        meter.sandbox.marketplace.apply_action(purchase, action)
    (ended,) = (event for event in meter.sandbox.marketplace.events(purchase) if "Deprovisioned" in event.kind)

    assert meter.refusal(record(purchase, ended.happened_at + SECOND), record(purchase)) in (
        "InvalidLicenseException",
        "TimestampOutOfBoundsException",
    )
    meter.set_clock(ended.happened_at + HOUR - SECOND)
    assert meter.statuses(record(purchase, ended.happened_at)) == ["Success"]
    assert meter.refusal(record(purchase, ended.happened_at + SECOND)) == "InvalidLicenseException"
    meter.set_clock(ended.happened_at + HOUR)
    assert meter.statuses(record(purchase)) == ["CustomerNotSubscribed"]


def test_cancelled_license_is_billed_until_it_is_deprovisioned(meter: Meter) -> None:
    purchase = meter.buy(actions="confirm cancel")
    meter.set_clock(NOW)

    assert meter.statuses(record(purchase)) == ["Success"]


@pytest.mark.parametrize("form", [by_identifier, by_account])
def test_old_customer_is_billed_until_unsubscribe_success(meter: Meter, form: object) -> None:
    assert callable(form)
    purchase = meter.buy(style="old")
    meter.set_clock(NOW)
    meter.sandbox.marketplace.apply_action(purchase, "cancel")
    pending = meter.statuses(form(purchase), ProductCode=USAGE)

    meter.sandbox.marketplace.apply_action(purchase, "expire")
    ended = meter.statuses(form(purchase, at=NOW - HOUR), ProductCode=USAGE)
    meter.sandbox.marketplace.apply_action(purchase, "resubscribe")
    returned = meter.statuses(form(purchase, at=NOW - HOUR), ProductCode=USAGE)

    assert [pending, ended, returned] == [["Success"], ["CustomerNotSubscribed"], ["Success"]]


def test_unknown_customer_of_the_product_form_is_not_subscribed(meter: Meter) -> None:
    purchase = meter.buy(CONTRACT, style="old")
    meter.set_clock(NOW)

    assert meter.statuses(by_identifier(purchase), ProductCode=USAGE) == ["CustomerNotSubscribed"]


def test_usage_from_before_an_old_purchase_is_not_subscribed(meter: Meter) -> None:
    purchase = meter.buy(style="old")
    meter.set_clock(NOW)

    usage = by_identifier(purchase, at=LICENSE_BEGAN_AT - SECOND)

    assert meter.statuses(usage, ProductCode=USAGE) == ["CustomerNotSubscribed"]


def test_renewal_splits_the_usage_between_old_and_new_license(meter: Meter) -> None:
    before = meter.buy(BOTH)
    meter.set_clock(NOW)
    meter.sandbox.marketplace.apply_action(before, "renew", new_license=True)
    after = meter.sandbox.marketplace.get_purchase(before.id)
    old, new = meter.sandbox.marketplace.usage.licenses.of_purchase(before.id)
    meter.set_clock(NOW + HOUR - timedelta(minutes=1))

    assert (old.name, new.name) == (before.license_arn, after.license_arn)
    assert meter.statuses(record(before, NOW.replace(minute=0)), record(after, new.began_at)) == ["Success"] * 2
    assert meter.refusal(record(after, NOW.replace(minute=0))) == "InvalidLicenseException"
    assert meter.refusal(record(before, NOW + SECOND)) == "InvalidLicenseException"
    meter.set_clock(NOW + 2 * HOUR)
    assert meter.statuses(record(before, NOW.replace(minute=0))) == ["CustomerNotSubscribed"]


def test_renewal_with_the_same_license_changes_nothing(meter: Meter) -> None:
    purchase = meter.buy(BOTH, actions="confirm renew")
    meter.set_clock(NOW)

    assert meter.statuses(record(purchase)) == ["Success"]


def test_failed_payment_of_a_pending_purchase_was_never_subscribed(meter: Meter) -> None:
    purchase = meter.buy(actions="fail_payment")
    meter.set_clock(BOUGHT_AT + timedelta(minutes=10))

    assert meter.statuses(record(purchase, LICENSE_BEGAN_AT)) == ["CustomerNotSubscribed"]
