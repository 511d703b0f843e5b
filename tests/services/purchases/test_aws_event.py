"""AWS's events: every shape in which they come out of a queue, and messages that are none."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.services.purchases import aws_event
from app.services.purchases.aws_event import AwsEvent, InvalidEvent
from tests.support.aws_events import (
    ACCOUNT_ID,
    AGREEMENT_ID,
    CUSTOMER_IDENTIFIER,
    NOON,
    eventbridge_event,
    minutes_after_noon,
    parse_event,
    sns_notification,
)
from tests.support.factories import PRODUCT_CODE

SENT_AT = datetime(2026, 11, 2, 18, 30, tzinfo=UTC)


def parsed(body: Any) -> AwsEvent:
    return aws_event.parse_body(body, message_id="of-the-queue", sent_at=SENT_AT)


def test_license_event_names_customer_license_and_agreement() -> None:
    body = eventbridge_event(
        "License Updated - Manufacturer", minutes_after_noon(5), license="l-e52ca6f3", id="of-eventbridge"
    )

    event = parse_event(body)

    assert (event.aws_id, event.channel, event.happened_at) == ("of-eventbridge", "eventbridge", minutes_after_noon(5))
    assert (event.kind, event.kind_without_party) == ("License Updated - Manufacturer", "License Updated")
    assert (event.product_code, event.customer_aws_account_id, event.agreement_id) == (
        PRODUCT_CODE,
        ACCOUNT_ID,
        AGREEMENT_ID,
    )
    assert event.license_arn == "aws:license-manager:us-east-1:123456789012:l-e52ca6f3"
    assert event.body == body


@pytest.mark.parametrize("party", ["Proposer", "Manufacturer"])
def test_agreement_event_is_the_same_for_either_party(party: str) -> None:
    event = parse_event(eventbridge_event(f"Purchase Agreement Ended - {party}", status="CANCELLED"))

    assert event.kind_without_party == "Purchase Agreement Ended"
    assert (event.agreement_status, event.license_arn, event.product_code) == ("CANCELLED", None, None)


def test_renewal_names_the_previous_agreement_and_the_new_end() -> None:
    event = parse_event(
        eventbridge_event("Purchase Agreement Created - Proposer", previous="agmt-a", ends="2027-05-30T21:36:03Z")
    )

    assert event.previous_agreement_id == "agmt-a"
    assert event.ends_at == datetime(2027, 5, 30, 21, 36, 3, tzinfo=UTC)


def test_agreement_that_renews_itself_has_no_previous_agreement() -> None:
    event = parse_event(eventbridge_event("Purchase Agreement Created - Proposer", previous=AGREEMENT_ID))

    assert event.previous_agreement_id is None


def test_license_id_is_read_where_the_arn_is_missing() -> None:
    body = eventbridge_event("License Updated - Manufacturer")
    body["detail"]["license"] = {"id": "l-e52ca6f3"}

    assert parse_event(body).license_arn == "l-e52ca6f3"


@pytest.mark.parametrize("empty", [None, "", {}])
def test_empty_fields_are_none(empty: object) -> None:
    body = eventbridge_event("Purchase Agreement Created - Proposer")
    body["detail"] |= {"product": empty, "acceptor": empty, "license": empty}
    body["detail"]["agreement"]["previousAgreementId"] = None

    event = parse_event(body)

    assert (event.product_code, event.customer_aws_account_id, event.license_arn, event.previous_agreement_id) == (
        None,
    ) * 4


@pytest.mark.parametrize(("flag", "free_trial"), [("true", True), ("false", False), (True, True), (None, None)])
def test_free_trial_is_parsed_from_text(flag: object, free_trial: bool | None) -> None:
    assert parse_event(sns_notification("subscribe-success", trial=flag)).free_trial is free_trial


def test_sns_notification_names_time_and_customer() -> None:
    event = parsed(sns_notification("subscribe-success", minutes_after_noon(7), id="of-sns"))

    assert (event.aws_id, event.channel, event.kind, event.happened_at) == (
        "of-sns",
        "sns",
        "subscribe-success",
        minutes_after_noon(7),
    )
    assert (event.customer_identifier, event.product_code, event.customer_aws_account_id) == (
        CUSTOMER_IDENTIFIER,
        PRODUCT_CODE,
        None,
    )


def test_raw_delivery_has_the_id_and_time_of_the_message() -> None:
    event = parsed(json.loads(sns_notification("unsubscribe-success")["Message"]))

    assert (event.aws_id, event.happened_at, event.kind) == ("of-the-queue", SENT_AT, "unsubscribe-success")


def test_eventbridge_event_through_sns_keeps_its_id_and_time() -> None:
    body = eventbridge_event("License Deprovisioned - Manufacturer", minutes_after_noon(9), id="of-eventbridge")
    envelope = {"Type": "Notification", "MessageId": "of-sns", "Timestamp": "2026-11-02T18:00:00.000Z"}

    event = parsed({**envelope, "Message": json.dumps(body)})

    assert (event.aws_id, event.happened_at, event.kind_without_party) == (
        "of-eventbridge",
        minutes_after_noon(9),
        "License Deprovisioned",
    )


def test_stored_body_parses_to_the_same_event() -> None:
    event = parsed(sns_notification("subscribe-fail", minutes_after_noon(3)))

    assert aws_event.parse_body(event.body, event.aws_id, event.happened_at) == event


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


NOT_AN_EVENT = eventbridge_event("License Updated - Manufacturer")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "product-code"),
        (json.dumps({**sns_notification("subscribe-success"), "Type": "SubscriptionConfirmation"}), "Type"),
        (json.dumps({**sns_notification("subscribe-success"), "Message": "x"}), "not JSON"),
        (json.dumps({**NOT_AN_EVENT, "source": "aws.ec2"}), "source"),
        (json.dumps({**NOT_AN_EVENT, "time": "yesterday"}), "time"),
        (json.dumps({**NOT_AN_EVENT, "time": "0001-01-01T00:00:00+14:00"}), "time"),
        (json.dumps({**NOT_AN_EVENT, "time": "9999-12-31T23:59:59-14:00"}), "time"),
        (json.dumps({**NOT_AN_EVENT, "id": ""}), "id"),
        (json.dumps({**NOT_AN_EVENT, "id": "x" * 256}), "id"),
        (json.dumps({**NOT_AN_EVENT, "id": "a\0b"}), "id"),
        (json.dumps({**NOT_AN_EVENT, "id": "\ud800"}), "id"),
        (json.dumps({**NOT_AN_EVENT, "detail": None}), "detail"),
    ],
)
def test_invalid_message_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        aws_event.parse_body(aws_event.parse_json(text), message_id="of-the-queue", sent_at=NOON)

    assert reason in refused.value.code
    assert "aws.ec2" not in refused.value.code
