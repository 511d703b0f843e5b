"""What an operator decides about usage, against AWS's ledger: what AWS refused is billed once, on the right license."""

from decimal import Decimal
from uuid import UUID

import pytest

from app.models import UsageItem
from app.services.usage_reports import settle
from app.services.usage_reports.settle import NotSettled
from sandbox.purchases import Purchase
from tests.support import factories
from tests.support.metered_product import DIMENSION, MeteredProduct, at
from tests.support.stored_rows import all_rows


def renew_at_half_past_eleven(metered: MeteredProduct) -> tuple[Purchase, Purchase, UUID]:
    """Hold an item of 10:40, renew the license at 11:30; return the purchase before and after, and the item's id."""
    metered.set_rules(late_usage="hold")
    before = metered.buy()
    subscription = str(metered.subscription(before).id)
    metered.set_clock(at("10:20"))
    metered.use(before, "1", subscription=subscription)
    metered.work_until(at("11:20"))
    [verdict] = metered.accept(metered.item(before, "2", subscription=subscription, at=at("10:40")))
    assert (verdict.detail or "").startswith("Held")
    metered.set_clock(at("11:30"))
    metered.sandbox.marketplace.apply_action(before, "renew", new_license=True)
    metered.deliver_events()
    [held] = [item for item in all_rows(metered.app, UsageItem) if item.hour_id is None]
    return before, metered.sandbox.marketplace.get_purchase(before.id), held.id


def test_hour_refused_for_its_dimension_is_billed_once_mended(metered: MeteredProduct) -> None:
    marketplace = metered.sandbox.marketplace
    listed = marketplace.dimensions[factories.PRODUCT_CODE]
    marketplace.dimensions[factories.PRODUCT_CODE] = ()
    purchase = metered.buy()
    metered.use(purchase, "1.5")
    metered.work_until(at("10:30"))
    [hour] = metered.hours()
    assert (hour.state, hour.code) == ("refused", "InvalidUsageDimensionException")

    settle.send_again(hour.id, "operator:alice")
    metered.work()
    assert metered.states() == ["refused"]
    marketplace.dimensions[factories.PRODUCT_CODE] = listed
    settle.send_again(hour.id, "operator:alice")
    metered.work()

    metered.assert_all_billed()


@pytest.mark.parametrize("repeat_is_duplicate", [False, True])
def test_hour_whose_earlier_answer_was_lost_is_billed_once(metered: MeteredProduct, repeat_is_duplicate: bool) -> None:
    marketplace = metered.sandbox.marketplace
    listed = marketplace.dimensions[factories.PRODUCT_CODE]
    marketplace.change_faults(lost_answers=1, repeat_is_duplicate=repeat_is_duplicate)
    metered.use(metered.buy(), "1.5")
    metered.set_clock(at("10:10"))
    metered.work()
    marketplace.dimensions[factories.PRODUCT_CODE] = ()
    metered.work_until(at("10:30"))
    [hour] = metered.hours()
    assert (hour.state, hour.unread_tries) == ("refused", 1)

    marketplace.dimensions[factories.PRODUCT_CODE] = listed
    settle.send_again(hour.id, "operator:alice")
    metered.work()

    metered.assert_all_billed()


def test_held_item_is_billed_on_the_license_of_its_time(metered: MeteredProduct) -> None:
    before, _, held = renew_at_half_past_eleven(metered)
    metered.set_clock(at("11:50"))

    assert settle.bill_item_now(held, "operator:alice") == at("11:00")
    metered.work_until(at("13:30"))

    assert metered.billed() == {(before.license_arn, "2026-11", DIMENSION): Decimal(3)}
    assert set(metered.states()) == {"billed"}


def test_held_item_of_a_license_that_is_over_is_on_no_other(metered: MeteredProduct) -> None:
    before, _, held = renew_at_half_past_eleven(metered)
    metered.work_until(at("12:40"))

    with pytest.raises(NotSettled, match="AWS has taken no usage of it since 2026-11-28 12:30 UTC") as refused:
        settle.bill_item_now(held, "operator:alice")
    settle.write_off_item(held, "operator:alice")

    assert (before.license_arn or "").endswith(str(refused.value).split(",")[0].rpartition(" ")[2])
    assert metered.billed() == {(before.license_arn, "2026-11", DIMENSION): Decimal(1)}


def test_held_item_of_the_present_license_is_billed_on_it(metered: MeteredProduct) -> None:
    before, after, _ = renew_at_half_past_eleven(metered)
    subscription = str(metered.subscription(after).id)
    metered.set_clock(at("11:40"))
    metered.use(before, "4", subscription=subscription)
    metered.work_until(at("12:20"))
    metered.accept(metered.item(before, "8", id="held", subscription=subscription, at=at("11:45")))
    [held] = [item for item in all_rows(metered.app, UsageItem) if item.item_id == "held"]

    assert settle.bill_item_now(held.id, "operator:alice") == at("12:00")
    metered.work_until(at("13:30"))

    assert metered.billed() == {
        (before.license_arn, "2026-11", DIMENSION): Decimal(1),
        (after.license_arn, "2026-11", DIMENSION): Decimal(12),
    }
