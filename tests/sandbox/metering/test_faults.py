"""Faults of BatchMeterUsage that do not refuse the call: lost answers, unprocessed records, suspended customers."""

from contextlib import suppress
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from sandbox.faults import Faults
from tests.sandbox.metering.conftest import NOW, Meter, record

HOUR = timedelta(hours=1)


def test_lost_answer_is_billed_and_the_connection_closed(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.sandbox.marketplace.faults = Faults(lost_answers=1)

    with pytest.raises(ConnectionClosedError):
        meter.send(record(purchase))
    statuses = meter.statuses(record(purchase))

    assert statuses == ["Success"]
    assert meter.quantities() == ["1.5"]
    assert [call.is_answer_lost for call in meter.sandbox.marketplace.usage.calls] == [True, False]
    assert meter.sandbox.marketplace.faults == Faults()


def test_refused_call_does_not_count_as_a_lost_answer(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.sandbox.marketplace.faults = Faults(lost_answers=1)

    meter.refusal(record(purchase, Dimension="nope"))

    assert meter.sandbox.marketplace.faults == Faults(lost_answers=1)


def test_unprocessed_records_are_returned_and_not_billed(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    records = [record(purchase, NOW - number * HOUR) for number in range(3)]
    meter.sandbox.marketplace.faults = Faults(unprocessed_records=4)

    first, second, third = meter.send(*records), meter.send(*records), meter.send(*records)

    assert [len(response["Results"]) for response in (first, second, third)] == [0, 2, 3]
    assert first["UnprocessedRecords"] == records
    assert second["UnprocessedRecords"] == records[:1]
    assert third["UnprocessedRecords"] == []
    assert meter.quantities() == ["1.5"] * 3


def test_unprocessed_call_returns_all_of_its_records(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.sandbox.marketplace.faults = Faults(unprocessed_calls=1)

    response = meter.send(record(purchase))

    assert (response["Results"], response["UnprocessedRecords"]) == ([], [record(purchase)])
    assert meter.statuses(record(purchase)) == ["Success"]


def test_share_of_the_calls_is_throttled_evenly(meter: Meter) -> None:
    meter.sandbox.marketplace.faults = Faults(metering_throttled_percent=50)

    for _ in range(6):
        with suppress(ClientError):
            meter.send()

    errors = [call.error for call in meter.sandbox.marketplace.usage.calls]
    assert errors == [None, "ThrottlingException"] * 3


def test_suspended_customer_is_not_subscribed(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.sandbox.marketplace.faults = Faults(not_subscribed=True)

    assert meter.statuses(record(purchase)) == ["CustomerNotSubscribed"]
    assert meter.quantities() == []


def test_each_try_is_a_call_with_its_records_and_answer(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.sandbox.marketplace.faults = Faults(metering_throttled=1)

    response = meter.send(record(purchase), attempts=2, region="eu-west-1")

    throttled, answered = meter.sandbox.marketplace.usage.calls
    assert [throttled.error, answered.error] == ["ThrottlingException", None]
    assert throttled.records == answered.records
    assert (answered.region, answered.received_at) == ("eu-west-1", NOW)
    assert answered.answer["Results"][0]["MeteringRecordId"] == response["Results"][0]["MeteringRecordId"]
    assert meter.sandbox.marketplace.call_counts["BatchMeterUsage"] >= 2
