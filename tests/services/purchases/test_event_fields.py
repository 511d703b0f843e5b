"""Fields of AWS's events: ids are stripped, a far year is no end, and what cannot be read is dropped."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.aws_events import (
    ACCOUNT_ID,
    AGREEMENT_ID,
    CUSTOMER_IDENTIFIER,
    NOON,
    eventbridge_event,
    parse_event,
    sns_notification,
)
from tests.support.factories import PRODUCT_CODE


@pytest.mark.parametrize(
    ("place", "value", "lost"),
    [
        ("agreement", [AGREEMENT_ID], "agreement_id"),
        ("agreement", "none", "agreement_id"),
        ("agreement.id", "a" * 65, "agreement_id"),
        ("agreement.id", {"value": AGREEMENT_ID}, "agreement_id"),
        ("agreement.status", ["ACTIVE"], None),
        ("agreement.startTime", "9999-01-01T00:00:00Z", None),
        ("agreement.startTime", "yesterday", None),
        ("agreement.endTime", "1970-01-01T00:00:00Z", None),
        ("agreement.endTime", "0001-01-01T00:00:00+14:00", None),
        ("agreement.endTime", "12026-01-01T00:00:00Z", None),
        ("agreement.endTime", ["2027-01-01T00:00:00Z"], None),
        ("agreement.previousAgreementId", "agmt\n1", None),
        ("acceptor", 7, "customer_aws_account_id"),
        ("acceptor.accountId", 1.5, "customer_aws_account_id"),
        ("acceptor.accountId", "1" * 256, "customer_aws_account_id"),
        ("product.code", "a\0b", "product_code"),
        ("product.code", True, "product_code"),
        ("license", "l-e52ca6f3", "license_arn"),
        ("license.arn", 7, "license_arn"),
        ("license.arn", "l-" + "a" * 599, "license_arn"),
        ("license.id", "\ud800", None),
    ],
)
def test_optional_field_that_cannot_be_read_is_dropped(place: str, value: object, lost: str | None) -> None:
    body = eventbridge_event("License Updated - Manufacturer")
    outer, _, inner = place.partition(".")
    changed = {**body["detail"][outer], inner: value} if inner else value
    odd_body = {**body, "detail": {**body["detail"], outer: changed}}

    event = parse_event(odd_body)

    lost_value: dict[str, Any] = {lost: None} if lost else {}
    assert event == replace(parse_event(body), body=odd_body, dropped=(inner or outer,), **lost_value)


@pytest.mark.parametrize(
    "end", ["9999-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "9000-01-01T00:00:00.000Z", "9999-12-31T00:00:00"]
)
def test_end_in_a_far_year_is_no_end(end: str) -> None:
    event = parse_event(eventbridge_event("Purchase Agreement Created - Proposer", ends=end))

    assert (event.ends_at, event.dropped, event.agreement_id) == (None, (), AGREEMENT_ID)


def test_time_without_a_zone_is_in_utc() -> None:
    body = eventbridge_event("Purchase Agreement Created - Proposer", ends="2027-05-30T21:36:03")

    event = parse_event({**body, "time": "2026-11-02T12:00:00"})

    assert (event.happened_at, event.ends_at) == (NOON, datetime(2027, 5, 30, 21, 36, 3, tzinfo=UTC))


def test_account_id_sent_as_a_number_keeps_its_zeros() -> None:
    event = parse_event(eventbridge_event("License Updated - Manufacturer", account=12345678901))

    assert (event.customer_aws_account_id, event.dropped) == ("012345678901", ())


@pytest.mark.parametrize("blank", [" ", "\t", "\r\n", "\u00a0"])
def test_ids_are_stripped(blank: str) -> None:
    def pad(text: str) -> str:
        return f"{blank}{text}{blank}"

    bought = eventbridge_event(pad("License Updated - Manufacturer"), id=pad("of-eventbridge"), account=pad(ACCOUNT_ID))
    bought["detail"] |= {"product": {"code": pad(PRODUCT_CODE)}, "license": {"arn": pad("l-e52ca6f3")}}
    bought["detail"]["agreement"] = {"id": pad("agmt-b"), "previousAgreementId": pad("agmt-a")}
    event = parse_event(bought)
    notification = parse_event(
        sns_notification(pad("subscribe-success"), customer=pad(CUSTOMER_IDENTIFIER), code=pad(PRODUCT_CODE))
    )

    assert (event.aws_id, event.kind_without_party, event.customer_aws_account_id, event.product_code) == (
        "of-eventbridge",
        "License Updated",
        ACCOUNT_ID,
        PRODUCT_CODE,
    )
    assert (event.license_arn, event.agreement_id, event.previous_agreement_id) == ("l-e52ca6f3", "agmt-b", "agmt-a")
    assert (notification.kind, notification.customer_identifier, notification.product_code) == (
        "subscribe-success",
        CUSTOMER_IDENTIFIER,
        PRODUCT_CODE,
    )
