"""What a contract includes is not billed, until its entitlement expires."""

from decimal import Decimal
from typing import Any

import pytest

from app.database.transactions import write
from app.services.purchases import subscriptions
from sandbox.purchases import Purchase
from tests.support.metered_product import DIMENSION, MeteredProduct, at

INCLUDED: dict[str, Any] = {"included": ((DIMENSION, "included_gb"),)}


def entitle(metered: MeteredProduct, purchase: Purchase, value: object, expires_at: str | None = None) -> None:
    """Store what GetEntitlements would have answered."""
    stored = [
        {"dimension": "seats", "value": 7, "expires_at": None},
        {"dimension": "included_gb", "value": value, "expires_at": expires_at},
    ]
    subscription_id = metered.subscription(purchase).id
    write(lambda connection: subscriptions.update_row(connection, subscription_id, {"entitlements": stored}))


def billed_by_hour(metered: MeteredProduct) -> list[tuple[str, Any]]:
    return [(f"{record.hour:%H:%M}", record.quantity) for record in sorted(metered.records(), key=lambda one: one.hour)]


def test_usage_beyond_the_included_amount_is_billed(metered: MeteredProduct) -> None:
    metered.set_rules(**INCLUDED)
    purchase = metered.buy()
    entitle(metered, purchase, 100)

    for moment, quantity in (("10:20", "60"), ("11:20", "60.5"), ("12:20", "60")):
        metered.work_until(at(moment))
        metered.use(purchase, quantity)
    metered.work_until(at("13:10"))

    assert billed_by_hour(metered) == [("10:00", 0), ("11:00", Decimal("20.5")), ("12:00", 60)]
    assert [hour.included for hour in metered.hours()] == [60_000_000, 40_000_000, None]


def test_other_dimensions_and_customers_have_no_part_in_it(metered: MeteredProduct) -> None:
    metered.set_rules(**INCLUDED)
    first, second = metered.buy(), metered.buy()
    entitle(metered, first, 100)

    metered.use(first, "60")
    metered.use(first, "60", dimension="api_calls")
    metered.use(second, "60")
    metered.work_until(at("10:10"))

    month = "2026-11"
    assert metered.billed() == {
        (first.license_arn, month, DIMENSION): 0,
        (first.license_arn, month, "api_calls"): 60,
        (second.license_arn, month, DIMENSION): 60,
    }


def test_new_term_includes_the_amount_again(metered: MeteredProduct) -> None:
    metered.set_rules(**INCLUDED)
    purchase = metered.buy()
    entitle(metered, purchase, 10, "2026-11-28T11:00:00+00:00")
    metered.use(purchase, "15")
    metered.work_until(at("11:20"))
    metered.use(purchase, "4")
    metered.work_until(at("12:20"))

    entitle(metered, purchase, 10, "2026-12-28T11:00:00+00:00")
    metered.use(purchase, "15")
    metered.work_until(at("13:10"))

    assert billed_by_hour(metered) == [("09:00", 5), ("11:00", 4), ("12:00", 5)]


@pytest.mark.parametrize(("value", "billed"), [("10", 5), (10.5, Decimal("4.5")), ("standard", 15), (True, 15)])
def test_only_numbers_include_an_amount(metered: MeteredProduct, value: object, billed: Decimal) -> None:
    metered.set_rules(**INCLUDED)
    purchase = metered.buy()
    entitle(metered, purchase, value)

    metered.use(purchase, "15")
    metered.work_until(at("10:10"))

    assert billed_by_hour(metered) == [("09:00", billed)]


def test_parts_by_tags_have_the_sum_of_what_is_billed(metered: MeteredProduct) -> None:
    metered.set_rules(**INCLUDED)
    purchase = metered.buy()
    entitle(metered, purchase, 10)

    metered.use(purchase, "8", tags={"department": "research"})
    metered.use(purchase, "4", tags={"department": "sales"})
    metered.work_until(at("10:10"))

    [call] = metered.calls()
    [record] = call.records
    assert sum(Decimal(part["AllocatedUsageQuantityAsDecimal"]) for part in record["UsageAllocations"]) == 2
    assert metered.states() == ["billed"]
