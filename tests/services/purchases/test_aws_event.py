"""AWS's events: every shape in which they come out of a queue, and messages that are none."""

import json
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
