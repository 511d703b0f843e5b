"""What BatchMeterUsage bills: the first record of an hour, once."""

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.faults import Faults
from tests.sandbox.metering.conftest import BOTH, NOW, USAGE, MakeRecord, Meter, by_account, by_identifier, record

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient


@pytest.mark.parametrize("product_code", [USAGE, BOTH])
def test_record_of_an_active_license_is_billed(meter: Meter, product_code: str) -> None:
    purchase = meter.buy(product_code)
    meter.set_clock(NOW)
    sent = record(purchase)

    response = meter.send(sent)

    (result,) = response["Results"]
    (billed,) = meter.sandbox.marketplace.usage.ledger.records
    assert (result["Status"], result["UsageRecord"]) == ("Success", sent)
    assert result["MeteringRecordId"] == billed.metering_record_id
    assert response["UnprocessedRecords"] == []
    assert (billed.license, billed.purchase_id, billed.product_code) == (
        purchase.license_arn,
        purchase.id,
        product_code,
    )
    assert (billed.form, billed.region, billed.quantity) == ("license", "us-east-1", Decimal("1.5"))
    assert (billed.hour, billed.booked_at) == (NOW.replace(hour=7, minute=0), NOW)


@pytest.mark.parametrize(("form", "style"), [(by_identifier, "old"), (by_account, "old"), (by_account, "new")])
def test_record_of_the_product_form_is_billed(meter: Meter, form: MakeRecord, style: str) -> None:
    purchase = meter.buy(style=style)
    meter.set_clock(NOW)

    assert meter.statuses(form(purchase), ProductCode=USAGE) == ["Success"]

    (billed,) = meter.sandbox.marketplace.usage.ledger.records
    assert (billed.form, billed.purchase_id) == ("product_code", purchase.id)
    assert billed.license == (purchase.license_arn or purchase.customer_identifier)


@pytest.mark.parametrize(
    ("members", "billed"),
    [
        ({"QuantityAsDecimal": "9999999999.999999"}, "9999999999.999999"),
        ({"QuantityAsDecimal": "0"}, "0"),
        ({"QuantityAsDecimal": None, "Quantity": 2147483647}, "2147483647"),
        ({"QuantityAsDecimal": None}, "0"),
    ],
)
def test_every_kind_of_quantity_is_billed_exactly(meter: Meter, members: dict[str, Any], billed: str) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)

    meter.send(record(purchase, **members))

    assert meter.quantities() == [billed]


def test_same_hour_and_quantity_is_a_success_with_the_same_id(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    first = meter.send(record(purchase, QuantityAsDecimal="17"))["Results"][0]

    quantities: list[tuple[int, dict[str, Any]]] = [
        (0, {"QuantityAsDecimal": "17.0"}),
        (12, {"QuantityAsDecimal": "17.00"}),
        (30, {"QuantityAsDecimal": None, "Quantity": 17}),
    ]
    again = [
        meter.send(record(purchase, NOW - timedelta(hours=2, minutes=minutes), **quantity))["Results"][0]
        for minutes, quantity in quantities
    ]

    assert [result["Status"] for result in again] == ["Success"] * 3
    assert {result["MeteringRecordId"] for result in again} == {first["MeteringRecordId"]}
    assert meter.quantities() == ["17"]


def test_same_again_is_a_duplicate_where_the_fault_says_so(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.sandbox.marketplace.faults = Faults(repeat_is_duplicate=True)

    statuses = [meter.statuses(record(purchase)) for _ in range(2)]

    assert statuses == [["Success"], ["DuplicateRecord"]]
    assert meter.quantities() == ["1.5"]


def test_other_quantity_for_the_hour_is_a_duplicate_and_not_billed(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.send(record(purchase))

    result = meter.send(record(purchase, QuantityAsDecimal="1.500001"))["Results"][0]

    assert result["Status"] == "DuplicateRecord"
    assert result["MeteringRecordId"]
    assert meter.quantities() == ["1.5"]


def test_a_zero_keeps_the_real_usage_of_its_hour_out(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.send(record(purchase, QuantityAsDecimal="0"))

    assert meter.statuses(record(purchase)) == ["DuplicateRecord"]
    assert meter.quantities() == ["0"]


def test_both_names_of_an_old_customer_share_their_hours(meter: Meter) -> None:
    purchase = meter.buy(style="old")
    meter.set_clock(NOW)
    meter.send(by_identifier(purchase), ProductCode=USAGE)

    assert meter.statuses(by_account(purchase, QuantityAsDecimal="2"), ProductCode=USAGE) == ["DuplicateRecord"]


def test_each_license_dimension_hour_and_region_is_billed(meter: Meter) -> None:
    purchase, other = (meter.buy(account_id="111122223333") for _ in range(2))
    meter.set_clock(NOW)
    records = [
        record(purchase),
        record(other, QuantityAsDecimal="2"),
        record(purchase, Dimension="api_calls", QuantityAsDecimal="3"),
        record(purchase, NOW - timedelta(hours=3), QuantityAsDecimal="4"),
    ]

    statuses = meter.statuses(*records)
    elsewhere = meter.statuses(record(purchase, QuantityAsDecimal="5"), region="eu-central-1")

    assert [*statuses, *elsewhere] == ["Success"] * 5
    assert meter.quantities() == ["1.5", "2", "3", "4", "5"]
    assert [billed.region for billed in meter.sandbox.marketplace.usage.ledger.records][-2:] == [
        "us-east-1",
        "eu-central-1",
    ]


def test_both_forms_for_one_hour_are_both_billed(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)

    forms = [meter.statuses(record(purchase)), meter.statuses(by_account(purchase), ProductCode=USAGE)]

    assert forms == [["Success"], ["Success"]]
    assert meter.sandbox.marketplace.usage.ledger.totals() == {
        (purchase.license_arn, "2026-11", "gb_processed"): Decimal(3)
    }


def test_twice_in_one_call_is_billed_once_and_the_order_is_not_kept(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    sent = [record(purchase, QuantityAsDecimal=quantity) for quantity in ("1", "2", "1")]

    results = meter.send(*sent)["Results"]

    assert [result["UsageRecord"]["QuantityAsDecimal"] for result in results] == ["1", "2", "1"]
    assert [result["Status"] for result in results] == ["Success", "DuplicateRecord", "Success"]
    assert meter.quantities() == ["1"]


def test_results_come_in_another_order_than_the_records(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)

    results = meter.send(*(record(purchase, NOW - timedelta(hours=hours)) for hours in (1, 2, 3)))["Results"]

    assert [(NOW - result["UsageRecord"]["Timestamp"]) / timedelta(hours=1) for result in results] == [3, 2, 1]


def test_time_is_repeated_to_the_millisecond(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    sent = record(purchase, NOW.replace(hour=7, minute=19, second=2, microsecond=108265))

    result = meter.send(sent)["Results"][0]

    assert result["UsageRecord"]["Timestamp"] == sent["Timestamp"].replace(microsecond=108000)


def test_no_record_is_a_call_without_results(meter: Meter) -> None:
    assert meter.send()["Results"] == []


@pytest.mark.parametrize(
    ("operation", "request_fields"),
    [
        ("meter_usage", {"ProductCode": USAGE, "Timestamp": NOW, "UsageDimension": "events"}),
        ("register_usage", {"ProductCode": USAGE, "PublicKeyVersion": 1}),
    ],
)
def test_metering_of_other_kinds_of_product_is_refused_in_words(
    metering_client: "MarketplaceMeteringClient", operation: str, request_fields: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="SaaS products send their usage with BatchMeterUsage") as caught:
        getattr(metering_client, operation)(**request_fields)

    assert caught.value.response["Error"]["Code"] == "DisabledApiException"
