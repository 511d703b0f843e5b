"""The last hour of a license: what was used is billed before AWS takes no more, whatever events come, and when."""

from decimal import Decimal

import pytest

from tests.support.metered_product import DIMENSION, MeteredProduct, at

ENDED, DEPROVISIONED = "Purchase Agreement Ended", "License Deprovisioned"


def test_last_hour_takes_items_until_the_window_is_nearly_over(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase, "1")
    metered.work_until(at("10:25"))
    metered.use(purchase, "2")
    metered.act(purchase, "expire", with_events=False)
    # The event comes twenty minutes late.
    metered.work_until(at("10:45"))
    metered.use(purchase, "4")
    metered.deliver_events()
    metered.work_until(at("11:23"))
    metered.use(purchase, "8", at=at("10:24"))
    metered.use(purchase, "16")

    metered.work_until(at("11:24:59"))

    metered.assert_all_billed()
    assert all(record.timestamp <= at("10:25") for record in metered.records())


def test_items_of_the_hour_after_the_end_are_billed_in_the_last_hour(metered: MeteredProduct) -> None:
    metered.buy()
    purchase = metered.buy()
    metered.set_clock(at("10:50"))
    metered.use(purchase, "2")
    metered.act(purchase, "expire", with_events=False)
    metered.work_until(at("11:06"))
    metered.use(purchase, "4")
    metered.use(purchase, "8", dimension="api_calls")

    metered.deliver_events()
    metered.work_until(at("11:49:59"))

    metered.assert_all_billed()
    assert {record.hour for record in metered.records()} == {at("10:00")}
    assert len(metered.hours()) == 2


def test_items_after_the_end_are_refused_where_its_hour_is_billed(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.set_clock(at("10:50"))
    metered.use(purchase, "2")
    metered.act(purchase, "expire", with_events=False)
    metered.work_until(at("11:15"))
    metered.use(purchase, "4")

    metered.deliver_events()
    metered.work_until(at("12:30"))

    assert [(hour.state, hour.code) for hour in metered.hours()] == [
        ("billed", None),
        ("refused", "InvalidLicenseException"),
    ]


@pytest.mark.parametrize(
    "kinds", [(ENDED, DEPROVISIONED), (DEPROVISIONED, ENDED), (ENDED,), (DEPROVISIONED,)], ids="-".join
)
def test_either_event_in_any_order_bills_what_was_used(metered: MeteredProduct, kinds: tuple[str, ...]) -> None:
    purchase = metered.buy()
    metered.set_clock(at("10:25"))
    metered.use(purchase, "1")
    metered.sandbox.marketplace.apply_action(purchase, "cancel")
    if kinds[0] == ENDED:
        metered.deliver_events(ENDED)
    metered.work_until(at("10:55"))
    metered.use(purchase, "2")
    metered.work_until(at("11:24"))
    metered.use(purchase, "4", at=at("10:59"))
    metered.work_until(at("11:25"))
    metered.sandbox.marketplace.apply_action(metered.sandbox.marketplace.get_purchase(purchase.id), "expire")
    for kind in kinds:
        metered.deliver_events(kind)
    metered.work_until(at("11:26"))

    metered.work_until(at("12:24:59"))

    metered.assert_all_billed()


def test_usage_goes_on_where_the_agreement_ended_and_the_license_has_not(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.set_clock(at("10:25"))
    metered.use(purchase, "1")
    metered.act(purchase, "cancel")
    metered.work_until(at("11:40"))
    metered.use(purchase, "2")
    metered.work_until(at("12:05"))
    metered.use(purchase, "4")
    metered.set_clock(at("12:06"))
    metered.act(purchase, "expire")
    metered.use(purchase, "8")

    metered.work_until(at("13:05:59"))

    metered.assert_all_billed()


def test_hours_that_wait_for_another_try_are_sent_when_the_license_ends(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase)
    metered.sandbox.marketplace.change_faults(not_subscribed=True)
    metered.work_until(at("10:20"))
    metered.sandbox.marketplace.change_faults(not_subscribed=False)

    metered.act(purchase, "expire")
    metered.work()

    metered.assert_all_billed()


def test_last_hours_are_sent_before_all_others(metered: MeteredProduct) -> None:
    others = [metered.buy() for _ in range(26)]
    purchase = metered.buy()
    metered.use(purchase, at=at("09:30"))
    metered.set_clock(at("10:05"))
    metered.use(purchase)
    metered.accept(*(metered.item(other, at=at("09:45")) for other in others))
    metered.act(purchase, "expire")
    metered.set_clock(at("11:04:20"))

    metered.work()

    first = metered.calls()[0].records
    assert [record["LicenseArn"] for record in first].count(purchase.license_arn) == 2


@pytest.mark.parametrize("actions", ["cancel expire", "expire"])
def test_old_listings_usage_is_billed_while_aws_takes_it(metered: MeteredProduct, actions: str) -> None:
    purchase = metered.buy(style="old")
    metered.set_clock(at("10:25"))
    metered.use(purchase, "1")
    first, *others = actions.split()
    metered.act(purchase, first)
    metered.work_until(at("11:24:59"))
    for action in others:
        metered.act(purchase, action)
    metered.work_until(at("12:30"))

    if others:
        metered.assert_all_billed()
    else:
        assert [(hour.state, hour.code) for hour in metered.hours()] == [("refused", "CustomerNotSubscribed")]
        assert len(metered.calls()) == 1
    [verdict] = metered.accept(metered.item(purchase, "2"))
    assert verdict.status == 409


def test_other_license_of_the_subscription_keeps_its_grace_time(metered: MeteredProduct) -> None:
    before = metered.buy()
    metered.set_clock(at("10:20"))
    metered.sandbox.marketplace.apply_action(before, "renew", new_license=True)
    metered.deliver_events("Purchase Agreement Created", "License Updated")
    after = metered.sandbox.marketplace.get_purchase(before.id)
    metered.use(after, "1", at=at("10:20"))
    metered.set_clock(at("11:05"))
    metered.deliver_events()
    metered.work()

    metered.use(after, "2", at=at("10:59"))
    metered.work_until(at("11:10"))

    assert metered.billed() == {(after.license_arn, "2026-11", DIMENSION): Decimal(3)}


def test_renewal_with_the_same_license_does_not_end_it(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.set_clock(at("10:20"))
    metered.act(purchase, "renew")
    metered.use(purchase, "1")
    metered.work_until(at("12:00"))
    metered.use(purchase, "2")

    metered.work_until(at("13:30"))

    metered.assert_all_billed()


def test_merged_subscriptions_hours_are_billed(metered: MeteredProduct) -> None:
    before = metered.buy()
    metered.use(before, "1")
    metered.set_clock(at("10:20"))
    metered.sandbox.marketplace.apply_action(before, "renew", new_license=True)
    after = metered.sandbox.marketplace.get_purchase(before.id)
    # A buyer lands with the new license before its events come.
    metered.land(after, agreement_id=None)
    metered.use(after, "2", at=at("10:20"))
    metered.deliver_events()
    metered.use(before, "4", at=at("10:10"))

    metered.work_until(at("12:00"))

    assert metered.subscription(after).former_ids
    metered.assert_all_billed()
