"""Allocations of a usage record: their sum, their kind and their tags."""

from typing import Any

import pytest

from tests.sandbox.metering.conftest import NOW, Meter, record


def tags(*pairs: str) -> list[dict[str, str]]:
    """Return tags such as `team=a`."""
    return [dict(zip(("Key", "Value"), pair.split("=", 1), strict=True)) for pair in pairs]


def part(quantity: str, *pairs: str) -> dict[str, Any]:
    return {"AllocatedUsageQuantityAsDecimal": quantity, **({"Tags": tags(*pairs)} if pairs else {})}


FIVE = [f"key{number}=value" for number in range(5)]
TAGS, SUM = "InvalidTagException", "InvalidUsageAllocationsException"


@pytest.mark.parametrize(
    "parts",
    [
        [part("1.5")],
        [part("1", "team=a"), part("0.5", "team=b")],
        [part("1", "team=a"), part("0.5")],
        [part("1.5", *FIVE)],
        [part("0.000001", "k" * 100 + "=" + "v" * 256), part("1.499999", "a Z+-=._:/@=x")],
    ],
)
def test_allocations_that_add_up_are_billed_as_one_quantity(meter: Meter, parts: list[dict[str, Any]]) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)

    assert meter.statuses(record(purchase, UsageAllocations=parts)) == ["Success"]

    (billed,) = meter.sandbox.marketplace.usage.ledger.records
    assert (str(billed.quantity), billed.allocations) == ("1.5", parts)


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([part("1.499999")], SUM),
        ([part("1"), part("0.5")], SUM),
        ([part("1", "a=1", "b=2"), part("0.5", "b=2", "a=1")], SUM),
        ([{"AllocatedUsageQuantity": 1}, part("0.5", "a=1")], SUM),
        ([{"AllocatedUsageQuantity": 1, "AllocatedUsageQuantityAsDecimal": "1.5"}], SUM),
        ([{"Tags": tags("a=1")}], SUM),
        ([part("1.5", *FIVE, "key5=value")], TAGS),
        ([part("1", *FIVE), part("0.5", "key5=value")], TAGS),
        ([part("1.5", "a=1", "a=2")], TAGS),
        ([part("1.5", "a=ü")], TAGS),
        ([part("1.5", "a=1,2")], TAGS),
        ([part("1.5", "a=" + "v" * 257)], TAGS),
        ([part("1.5", "k" * 101 + "=v")], TAGS),
    ],
)
def test_allocations_that_break_a_rule_fail_the_call(meter: Meter, parts: list[dict[str, Any]], code: str) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)

    assert meter.refusal(record(purchase, UsageAllocations=parts), record(purchase, Dimension="api_calls")) == code


@pytest.mark.parametrize(
    ("parts", "code"), [([], SUM), ([{**part("1.5"), "Tags": []}], TAGS), ([part("1.5", "a=")], TAGS)]
)
def test_empty_member_that_boto3_would_refuse_fails_the_call(
    meter: Meter, parts: list[dict[str, Any]], code: str
) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)

    usage = {**record(purchase, UsageAllocations=parts), "Timestamp": NOW.timestamp()}
    response = meter.post({"UsageRecords": [usage]})

    assert (response.status_code, response.json()["__type"]) == (400, code)


@pytest.mark.parametrize(("count", "is_taken"), [(2500, True), (2501, False)])
def test_record_has_at_most_2500_allocations(meter: Meter, count: int, is_taken: bool) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    parts = [{"AllocatedUsageQuantity": 1, "Tags": tags(f"n={number}")} for number in range(count)]
    usage = record(purchase, QuantityAsDecimal=None, Quantity=count, UsageAllocations=parts)

    if is_taken:
        assert meter.statuses(usage) == ["Success"]
    else:
        assert meter.refusal(usage) == SUM
