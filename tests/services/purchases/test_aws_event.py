"""Notifications: every shape in which AWS Marketplace's come out of a queue, and what is none of them."""

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
    return aws_event.parse(json.dumps(body), message_id="of-the-queue", sent_at=SENT_AT)


def test_a_license_event_says_whose_it_is_and_joins_license_and_agreement() -> None:
    body = eventbridge_event(
        "License Updated - Manufacturer", minutes_after_noon(5), license="l-e52ca6f3", id="of-eventbridge"
    )

    said = parse_event(body)

    assert (said.aws_id, said.channel, said.happened_at) == ("of-eventbridge", "eventbridge", minutes_after_noon(5))
    assert (said.kind, said.kind_without_party) == ("License Updated - Manufacturer", "License Updated")
    assert (said.product_code, said.customer_aws_account_id, said.agreement_id) == (
        PRODUCT_CODE,
        ACCOUNT_ID,
        AGREEMENT_ID,
    )
    assert said.license_arn == "aws:license-manager:us-east-1:123456789012:l-e52ca6f3"
    assert said.body == body


@pytest.mark.parametrize("party", ["Proposer", "Manufacturer"])
def test_an_agreements_event_is_the_same_whichever_party_it_was_sent_to(party: str) -> None:
    said = parse_event(eventbridge_event(f"Purchase Agreement Ended - {party}", status="CANCELLED"))

    assert said.kind_without_party == "Purchase Agreement Ended"
    assert (said.agreement_status, said.license_arn, said.product_code) == ("CANCELLED", None, None)


def test_a_renewal_names_the_agreement_before_it_and_the_new_end() -> None:
    said = parse_event(
        eventbridge_event("Purchase Agreement Created - Proposer", previous="agmt-a", ends="2027-05-30T21:36:03Z")
    )

    assert said.previous_agreement_id == "agmt-a"
    assert said.ends_at == datetime(2027, 5, 30, 21, 36, 3, tzinfo=UTC)


def test_an_agreement_is_not_its_own_renewal() -> None:
    said = parse_event(eventbridge_event("Purchase Agreement Created - Proposer", previous=AGREEMENT_ID))

    assert said.previous_agreement_id is None


def test_a_license_is_read_where_awss_samples_have_it_too() -> None:
    body = eventbridge_event("License Updated - Manufacturer")
    body["detail"]["license"] = {"id": "l-e52ca6f3"}

    assert parse_event(body).license_arn == "l-e52ca6f3"


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_what_aws_does_not_populate_is_left_out(nothing: object) -> None:
    body = eventbridge_event("Purchase Agreement Created - Proposer")
    body["detail"] |= {"product": nothing, "acceptor": nothing, "license": nothing}
    body["detail"]["agreement"]["previousAgreementId"] = None

    said = parse_event(body)

    assert (said.product_code, said.customer_aws_account_id, said.license_arn, said.previous_agreement_id) == (
        None,
    ) * 4


@pytest.mark.parametrize(("flag", "free_trial"), [("true", True), ("false", False), (True, True), (None, None)])
def test_a_free_trial_is_told_by_a_word(flag: object, free_trial: bool | None) -> None:
    assert parse_event(sns_notification("subscribe-success", trial=flag)).free_trial is free_trial


def test_sns_says_when_it_was_and_which_customer() -> None:
    said = parsed(sns_notification("subscribe-success", minutes_after_noon(7), id="of-sns"))

    assert (said.aws_id, said.channel, said.kind, said.happened_at) == (
        "of-sns",
        "sns",
        "subscribe-success",
        minutes_after_noon(7),
    )
    assert (said.customer_identifier, said.product_code, said.customer_aws_account_id) == (
        CUSTOMER_IDENTIFIER,
        PRODUCT_CODE,
        None,
    )


def test_raw_delivery_goes_by_the_queues_id_and_time() -> None:
    said = parsed(json.loads(sns_notification("unsubscribe-success")["Message"]))

    assert (said.aws_id, said.happened_at, said.kind) == ("of-the-queue", SENT_AT, "unsubscribe-success")


def test_an_event_that_came_by_way_of_a_topic_keeps_its_own_id_and_time() -> None:
    event = eventbridge_event("License Deprovisioned - Manufacturer", minutes_after_noon(9), id="of-eventbridge")
    envelope = {"Type": "Notification", "MessageId": "of-sns", "Timestamp": "2026-11-02T18:00:00.000Z"}

    said = parsed({**envelope, "Message": json.dumps(event)})

    assert (said.aws_id, said.happened_at, said.kind_without_party) == (
        "of-eventbridge",
        minutes_after_noon(9),
        "License Deprovisioned",
    )


def test_what_was_stored_whole_says_the_same_when_it_is_read_again() -> None:
    said = parsed(sns_notification("subscribe-fail", minutes_after_noon(3)))

    assert aws_event.parse_body(said.body, said.aws_id, said.happened_at) == said


NOT_AN_EVENT = eventbridge_event("License Updated - Manufacturer")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "product-code"),
        (json.dumps({**sns_notification("subscribe-success"), "Type": "SubscriptionConfirmation"}), "Type"),
        (json.dumps({**sns_notification("subscribe-success"), "Message": "x"}), "not JSON"),
        (json.dumps({**NOT_AN_EVENT, "source": "aws.ec2"}), "source"),
        (json.dumps({**NOT_AN_EVENT, "time": "yesterday"}), "time"),
        (json.dumps({**NOT_AN_EVENT, "time": "2026-11-02T12:00:00"}), "time"),
        (json.dumps({**NOT_AN_EVENT, "time": "0001-01-01T00:00:00+14:00"}), "time"),
        (json.dumps({**NOT_AN_EVENT, "time": "9999-12-31T23:59:59-14:00"}), "time"),
        (json.dumps({**NOT_AN_EVENT, "id": ""}), "id"),
        (json.dumps({**NOT_AN_EVENT, "id": "x" * 256}), "id"),
        (json.dumps({**NOT_AN_EVENT, "id": "a\0b"}), "id"),
        (json.dumps({**NOT_AN_EVENT, "id": "\ud800"}), "id"),
        (json.dumps({**NOT_AN_EVENT, "detail": {"agreement": {"id": "a" * 65}}}), "agreement"),
        (json.dumps({**NOT_AN_EVENT, "detail": {"license": {"arn": 7}}}), "license"),
        (json.dumps({**NOT_AN_EVENT, "detail": None}), "detail"),
    ],
)
def test_what_is_no_notification_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        aws_event.parse(text, message_id="of-the-queue", sent_at=NOON)

    assert why in refused.value.code
    assert "aws.ec2" not in refused.value.code
