"""The bodies of events as the worker receives them from the queue."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import time_machine

from sandbox.purchases import Order, Purchase
from sandbox.server import Sandbox
from tests.sandbox.conftest import QueueReader
from tests.sandbox.test_actions import BOTH, CONTRACT, USAGE, create_purchase

NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, UTC)
LATER = datetime(2026, 11, 23, 10, 30, 15, 987654, UTC)
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def license_number(purchase: Purchase) -> str:
    return str(purchase.license_arn).rpartition(":")[2]


def test_new_agreement_event_matches_eventbridge(sandbox: Sandbox, queue: QueueReader) -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT)
        (event,) = queue.receive()

    request_id = event["detail"].pop("requestId")
    assert UUID(event.pop("id")) != UUID(request_id)
    assert event == {
        "version": "0",
        "detail-type": "Purchase Agreement Created - Proposer",
        "source": "aws.agreement-marketplace",
        "account": "123456789012",
        "time": "2026-11-23T09:30:15Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:aws-marketplace::aws:agreement:{purchase.agreement_id}"],
        "detail": {
            "catalog": "AWSMarketplace",
            "agreement": {
                "id": purchase.agreement_id,
                "intent": "NEW",
                "status": "ACTIVE",
                "acceptanceTime": "2026-11-23T09:30:15.123Z",
                "startTime": "2026-11-23T09:30:15.123Z",
                "endTime": "2027-11-23T09:30:15Z",
            },
            "acceptor": {"accountId": "044455556666"},
            "proposer": {"accountId": "123456789012"},
            "offer": {"id": purchase.offer_id},
            "resaleAuthorization": {"id": None},
        },
    }


def test_license_event_names_the_agreement_and_the_license(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox)
    queue.receive_and_delete_all()

    sandbox.marketplace.apply_action(purchase, "confirm")

    (event,) = queue.receive_and_delete_all()
    assert event["detail"]["agreement"] == {"id": purchase.agreement_id}
    assert event["detail"]["product"]["code"] == "insights1example"
    assert event["detail"]["license"] == {"arn": purchase.license_arn}
    assert purchase.license_arn == f"arn:aws:license-manager::294406891311:license:{license_number(purchase)}"


def test_usage_agreement_ends_in_a_far_year(sandbox: Sandbox, queue: QueueReader) -> None:
    create_purchase(sandbox, USAGE)

    (event,) = queue.receive_and_delete_all()

    assert event["detail"]["agreement"]["endTime"] == "9999-01-01T00:00:00Z"


def test_ended_agreement_has_its_id_and_status_alone(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
    queue.receive_and_delete_all()

    sandbox.marketplace.apply_action(purchase, "cancel")

    (event,) = queue.receive_and_delete_all()
    assert event["detail"]["agreement"] == {"id": purchase.agreement_id, "status": "CANCELLED"}
    assert "offer" not in event["detail"]


def test_renewal_names_and_ends_the_previous_agreement(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
    queue.receive_and_delete_all()

    sandbox.marketplace.apply_action(purchase, "renew", new_license=True)

    renewed = sandbox.marketplace.get_purchase(purchase.id)
    created, updated, ended, deprovisioned = queue.receive_and_delete_all()
    assert created["detail"]["agreement"].items() >= {
        ("id", renewed.agreement_id),
        ("intent", "RENEW"),
        ("previousAgreementId", purchase.agreement_id),
    }
    assert created["detail"]["product"] == {"id": purchase.product_id, "title": "Acme Ledger"}
    assert updated["detail"]["license"]["arn"].endswith(license_number(renewed))
    assert updated["detail"]["agreement"]["id"] == renewed.agreement_id
    assert ended["detail"]["agreement"]["id"] == purchase.agreement_id
    assert deprovisioned["detail"]["license"]["arn"].endswith(license_number(purchase))
    assert deprovisioned["detail"]["agreement"]["id"] == purchase.agreement_id


def test_sns_notification_wraps_json_in_an_envelope(sandbox: Sandbox, queue: QueueReader) -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = sandbox.marketplace.buy(Order(product_code=USAGE, style="old", free_trial=True))
        sandbox.marketplace.apply_action(purchase, "confirm")
        (envelope,) = queue.receive()

    assert UUID(envelope["MessageId"])
    assert envelope["Type"] == "Notification"
    assert (
        envelope["TopicArn"] == "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-insights1example"
    )
    assert envelope["Timestamp"] == "2026-11-23T09:30:15.123Z"
    assert envelope["SignatureVersion"] == "1"
    assert json.loads(envelope["Message"]) == {
        "action": "subscribe-success",
        "customer-identifier": purchase.customer_identifier,
        "product-code": "insights1example",
        "offer-identifier": purchase.offer_id,
        "isFreeTrialTermPresent": "true",
    }


def test_entitlement_notification_has_its_own_topic_and_no_offer(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, CONTRACT, "old", "confirm")

    (envelope,) = queue.receive_and_delete_all()

    assert envelope["TopicArn"].endswith(":aws-mp-entitlement-notification-ledger2example")
    assert json.loads(envelope["Message"]) == {
        "action": "entitlement-updated",
        "customer-identifier": purchase.customer_identifier,
        "product-code": "ledger2example",
    }


def test_only_subscribe_notifications_have_an_offer(sandbox: Sandbox, queue: QueueReader) -> None:
    create_purchase(sandbox, USAGE, "old", "confirm cancel expire")

    messages = [json.loads(envelope["Message"]) for envelope in queue.receive_and_delete_all()]

    assert ["offer-identifier" in message for message in messages] == [True, False, False]
    assert ["isFreeTrialTermPresent" in message for message in messages] == [True, False, False]


def test_renewal_of_usage_brings_a_new_offer(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, USAGE, "old", "confirm renew")

    offers = [json.loads(envelope["Message"])["offer-identifier"] for envelope in queue.receive_and_delete_all()]

    assert offers[0] == purchase.offer_id
    assert offers[1] != purchase.offer_id


@pytest.mark.parametrize(
    ("style", "product", "action", "times"),
    [
        ("new", CONTRACT, "renew", ["10:30:12Z", "10:30:13Z", "10:30:14Z", "10:30:15Z"]),
        ("new", CONTRACT, "expire", ["10:30:14Z", "10:30:15Z"]),
        ("old", BOTH, "renew", ["10:30:12.987Z", "10:30:12.988Z"]),
    ],
)
def test_events_of_one_action_are_spaced_and_never_in_the_future(
    sandbox: Sandbox, queue: QueueReader, style: str, product: str, action: str, times: list[str]
) -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, product, style, "confirm")
        queue.receive_and_delete_all()

    with time_machine.travel(LATER, tick=False):
        sandbox.marketplace.apply_action(purchase, action, **({"new_license": True} if times[3:] else {}))
        received = queue.receive()

    assert [happened_at(event).partition("T")[2] for event in received] == times


def test_event_times_never_decrease(sandbox: Sandbox, queue: QueueReader) -> None:
    create_purchase(sandbox, actions="confirm renew renew cancel expire")

    times = [happened_at(event) for event in queue.receive_and_delete_all()]

    assert times == sorted(times)
    assert all(STAMP.fullmatch(time) for time in times)


def happened_at(event: dict[str, Any]) -> str:
    return str(event.get("time") or event["Timestamp"])
