"""AWS refuses a whole call for one record: that one is found, in few calls, and the others are billed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from app.database.transactions import current_database
from app.models import UsageHour
from app.services.billing import journal, send, settle
from sandbox.metering import dimensions
from tests.support.metered_product import MeteredProduct, at

DIMENSIONS = [dimension.key for dimension in dimensions.METERED]
# What of a frozen hour is set to what no item that was accepted can lead to, and AWS's code for it.
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "dimension": ({"dimension": "no_such"}, "InvalidUsageDimensionException"),
    "license": (
        {"license_arn": "arn:aws:license-manager::294406891311:license:l-0"},
        "InvalidLicenseException",
    ),
    "tag": (
        {"allocations": [{"tags": '{"a": "\\u00e4"}', "micros": 1_500_000}]},
        "InvalidTagException",
    ),
    "sum of the tags": (
        {"allocations": [{"tags": '{"a": "b"}', "micros": 1_500_001}]},
        "InvalidUsageAllocationsException",
    ),
    "timestamp": ({"timestamp": at("11:00")}, "TimestampOutOfBoundsException"),
}


def freeze_25_hours(metered: MeteredProduct) -> list[UUID]:
    """Freeze hours that are sent in one call, and return their ids in the order of its records."""
    for _ in range(5):
        purchase = metered.buy()
        metered.accept(*(metered.item(purchase, dimension=dimension) for dimension in DIMENSIONS))
    metered.set_clock(at("10:10"))
    metered.freeze()
    ids = [hour.id for hour in metered.hours()]
    for number, hour_id in enumerate(ids):
        set_values(hour_id, due_at=at("10:00") + timedelta(seconds=number))
    return ids


def set_values(hour_id: UUID, **values: Any) -> None:
    with current_database().write_engine.begin() as connection:
        connection.execute(update(UsageHour).where(UsageHour.id == hour_id).values(**values))


@pytest.mark.parametrize("position", [0, 12, 24])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_refused_record_is_found_and_the_others_are_billed(
    metered: MeteredProduct, fault: str, position: int
) -> None:
    hour_id = freeze_25_hours(metered)[position]
    values, code = FAULTS[fault]
    set_values(hour_id, **values)

    metered.work()

    refused = [hour for hour in metered.hours() if hour.state != "billed"]
    assert [(hour.id, hour.state, hour.code) for hour in refused] == [(hour_id, "refused", code)]
    assert len(metered.records()) == 24
    assert len(metered.calls()) <= 11


def test_half_that_fails_for_another_reason_ends_the_search(metered: MeteredProduct) -> None:
    ids = freeze_25_hours(metered)
    set_values(ids[3], license_arn="arn:aws:license-manager::294406891311:license:l-0")
    # Every second call: the first is refused for the record, and its first half is throttled.
    metered.sandbox.marketplace.change_faults(metering_throttled_percent=50)

    assert send.send_next() is False
    assert [call.error for call in metered.calls()] == ["InvalidLicenseException", "ThrottlingException"]
    metered.sandbox.marketplace.change_faults(metering_throttled_percent=0)
    metered.work_until(at("10:20"))

    assert [hour.state for hour in metered.hours()].count("billed") == 24
    assert {hour.id: hour.state for hour in metered.hours()}[ids[3]] == "refused"


def test_record_refused_amid_throttling_is_not_taken_for_the_account(metered: MeteredProduct) -> None:
    ids = freeze_25_hours(metered)
    for hour_id in ids:
        set_values(hour_id, license_arn="arn:aws:license-manager::294406891311:license:l-0")
    # The call, five levels of halves, and the throttled one.
    metered.sandbox.marketplace.change_faults(metering_throttled_percent=15)

    metered.work_until(at("12:00"))

    assert {hour.state for hour in metered.hours()} == {"frozen"}


def test_halves_that_another_worker_has_billed_meanwhile_stay_billed(metered: MeteredProduct) -> None:
    metered.sandbox.marketplace.change_faults(repeat_is_duplicate=True)
    freeze_25_hours(metered)
    slow = journal.claim_next()
    assert slow
    metered.set_clock(at("10:14"))
    metered.work()
    metered.assert_all_billed()

    assert journal.store_again(slow.hours[:12]) is None
    settle.release(slow, "InvalidTagException", settle.FAULT)
    settle.retry(slow, "ReadTimeoutError")
    metered.settle(slow)

    metered.assert_all_billed()


def test_late_answer_does_not_end_another_workers_lease(metered: MeteredProduct) -> None:
    freeze_25_hours(metered)
    slow = journal.claim_next()
    metered.set_clock(at("10:14"))
    other = journal.claim_next()
    assert slow
    assert other

    settle.release(slow, "ThrottlingException", settle.FAULT)
    assert journal.store_again(slow.hours[:12]) is None
    assert {(hour.state, hour.unread_tries, hour.due_at) for hour in metered.hours()} == {("sent", 1, at("10:16"))}
    metered.settle(other)

    metered.assert_all_billed()
