"""What AWS answers, or does not: each hour is billed once, and what is not billed says why."""

import pytest
from sqlalchemy import update

from app.aws import meter_usage
from app.database.transactions import current_database
from app.models import UsageHour
from app.services.billing import journal
from sandbox.metering import dimensions
from tests.support import factories
from tests.support.metered_product import DIMENSION, MeteredProduct, at

DIMENSIONS = [dimension.key for dimension in dimensions.METERED]


def use_25_hours(metered: MeteredProduct) -> None:
    """Meter five dimensions of five purchases: as much as fits into one call."""
    for _ in range(5):
        purchase = metered.buy()
        metered.accept(*(metered.item(purchase, dimension=dimension) for dimension in DIMENSIONS))


@pytest.mark.parametrize("repeat_is_duplicate", [False, True])
@pytest.mark.parametrize("lost", [1, 3])
def test_hour_whose_answer_was_lost_is_billed_once(
    metered: MeteredProduct, lost: int, repeat_is_duplicate: bool
) -> None:
    metered.sandbox.marketplace.change_faults(lost_answers=lost, repeat_is_duplicate=repeat_is_duplicate)
    purchase = metered.buy()
    metered.use(purchase)

    metered.work_until(at("10:40"))

    assert len(metered.calls()) == lost + 1
    assert len(metered.records()) == 1
    assert len({str(call.request) for call in metered.calls()}) == 1
    metered.assert_all_billed()


@pytest.mark.parametrize("repeat_is_duplicate", [False, True])
def test_worker_that_died_after_its_call_leaves_nothing_billed_twice(
    metered: MeteredProduct, repeat_is_duplicate: bool
) -> None:
    metered.sandbox.marketplace.change_faults(repeat_is_duplicate=repeat_is_duplicate)
    metered.use(metered.buy())
    metered.set_clock(at("10:10"))
    metered.freeze()
    attempt = journal.claim_next()
    assert attempt
    meter_usage.call(attempt.parameters)

    metered.work()
    assert metered.states() == ["sent"]
    metered.work_until(at("10:13"))

    assert len(metered.calls()) == 2
    metered.assert_all_billed()


@pytest.mark.parametrize("repeat_is_duplicate", [False, True])
def test_hour_that_something_else_has_metered_is_a_conflict(metered: MeteredProduct, repeat_is_duplicate: bool) -> None:
    metered.sandbox.marketplace.change_faults(repeat_is_duplicate=repeat_is_duplicate)
    purchase = metered.buy()
    metered.use(purchase, "2")
    metered.meter_elsewhere(purchase, at("09:30"), "7")

    metered.work_until(at("12:00"))

    [hour] = metered.hours()
    assert (hour.state, hour.code, hour.due_at) == ("conflict", "DuplicateRecord", None)
    assert len(metered.calls()) == 2


@pytest.mark.parametrize("fault", [{"metering_throttled": 2}, {"unprocessed_calls": 2}])
def test_duplicate_after_answers_without_billing_is_a_conflict(metered: MeteredProduct, fault: dict[str, int]) -> None:
    purchase = metered.buy()
    metered.use(purchase, "2")
    metered.meter_elsewhere(purchase, at("09:30"), "7")
    metered.sandbox.marketplace.change_faults(**fault)

    metered.work_until(at("12:00"))

    assert metered.states() == ["conflict"]


@pytest.mark.parametrize("fault", [{"unprocessed_records": 1}, {"unprocessed_records": 26}, {"unprocessed_calls": 3}])
def test_records_that_aws_did_not_process_are_sent_again(metered: MeteredProduct, fault: dict[str, int]) -> None:
    use_25_hours(metered)
    metered.sandbox.marketplace.change_faults(**fault, repeat_is_duplicate=True)

    metered.work_until(at("10:30"))

    assert len(metered.records()) == 25
    metered.assert_all_billed()


def test_throttled_calls_slow_down_and_lose_nothing(metered: MeteredProduct) -> None:
    for _ in range(4):
        use_25_hours(metered)
    metered.sandbox.marketplace.change_faults(metering_throttled_percent=50)

    metered.work_until(at("10:20"))
    during = len(metered.calls())
    metered.sandbox.marketplace.change_faults(metering_throttled_percent=0)
    metered.work_until(at("10:40"))

    assert during <= 20
    metered.assert_all_billed()


def test_customer_who_is_subscribed_three_hours_later_is_billed(metered: MeteredProduct) -> None:
    purchase = metered.buy(actions="")
    metered.act(purchase, "confirm")
    metered.sandbox.marketplace.change_faults(not_subscribed=True)
    metered.use(purchase)
    metered.work_until(at("12:40"))
    assert metered.states() == ["frozen"]
    assert len(metered.calls()) <= 10

    metered.sandbox.marketplace.change_faults(not_subscribed=False)
    metered.work_until(at("14:00"))

    metered.assert_all_billed()


def test_suspended_customers_usage_is_refused_when_aws_takes_it_no_more(metered: MeteredProduct) -> None:
    metered.sandbox.marketplace.change_faults(not_subscribed=True)
    metered.use(metered.buy())

    metered.work_until(at("11:00", day=29))

    [hour] = metered.hours()
    assert (hour.state, hour.code, hour.due_at) == ("refused", "CustomerNotSubscribed", None)
    assert 10 < len(metered.calls()) < 45
    assert metered.calls()[-1].received_at > at("08:55", day=29)


def test_usage_after_the_end_is_refused_after_one_call(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase)
    metered.act(purchase, "expire")
    metered.sandbox.marketplace.change_faults(not_subscribed=True)

    metered.work_until(at("12:00"))

    [hour] = metered.hours()
    assert (hour.state, hour.code) == ("refused", "CustomerNotSubscribed")
    assert len(metered.calls()) == 1


@pytest.mark.parametrize("fault", ["metering_disabled", "access_denied", "credentials_expired"])
def test_setup_that_the_seller_has_to_mend_loses_nothing(metered: MeteredProduct, fault: str) -> None:
    use_25_hours(metered)
    metered.sandbox.marketplace.change_faults(**{fault: True})

    metered.work_until(at("16:00"))
    during = len(metered.calls())
    assert set(metered.states()) == {"frozen"}
    assert {hour.unread_tries for hour in metered.hours()} == {0}
    metered.sandbox.marketplace.change_faults(**{fault: False})
    metered.work_until(at("16:15"))

    assert during < 60
    metered.assert_all_billed()


def test_account_that_sells_other_products_loses_nothing(metered: MeteredProduct) -> None:
    use_25_hours(metered)
    metered.set_rules(factories.OTHER_PRODUCT_CODE)
    other = metered.buy(product_code=factories.OTHER_PRODUCT_CODE)
    metered.use(other)
    sold = metered.sandbox.marketplace.products.pop(factories.PRODUCT_CODE)
    try:
        metered.work_until(at("16:00"))
        during = len(metered.calls())
    finally:
        metered.sandbox.marketplace.products[factories.PRODUCT_CODE] = sold
    assert sorted(metered.states()) == ["billed", *["frozen"] * 25]
    assert {hour.code for hour in metered.hours()} == {None, "InvalidLicenseException"}
    metered.work_until(at("16:15"))

    # 49 to find out that all 25 are refused, then single records.
    assert during < 49 + 60
    metered.assert_all_billed()


@pytest.mark.parametrize("is_answered", [True, False])
def test_hour_that_expires_with_an_unread_answer_says_so(metered: MeteredProduct, is_answered: bool) -> None:
    metered.use(metered.buy())
    metered.sandbox.marketplace.change_faults(**({"metering_throttled": 1000} if is_answered else {"aws_down": True}))

    metered.work_until(at("10:20"))
    metered.set_clock(at("08:50", day=29))
    metered.work_until(at("09:40", day=29))

    [hour] = metered.hours()
    assert (hour.state, hour.code) == ("expired", "ThrottlingException" if is_answered else "AnswerLost")
    assert metered.calls()[-1].received_at > at("08:55", day=29)


def test_result_that_is_missing_in_the_answer_is_unread(metered: MeteredProduct) -> None:
    metered.sandbox.marketplace.change_faults(repeat_is_duplicate=True)
    metered.use(metered.buy())
    metered.set_clock(at("10:10"))
    metered.freeze()
    # AWS repeats the record with another dimension than the one that Foyer looks for.
    attempt = journal.claim_next()
    assert attempt
    with current_database().write_engine.begin() as connection:
        connection.execute(update(UsageHour).values(dimension="api_calls"))
    metered.settle(attempt)
    with current_database().write_engine.begin() as connection:
        connection.execute(update(UsageHour).values(dimension=DIMENSION))
    [hour] = metered.hours()
    assert (hour.state, hour.unread_tries) == ("sent", 1)

    metered.work_until(at("10:20"))

    metered.assert_all_billed()
