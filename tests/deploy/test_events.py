"""The stack's queue receives AWS Marketplace's events in AWS's envelopes, and no other events."""

import json
import signal
from datetime import datetime
from typing import Any

import pytest
from flask import Flask

from app.aws.event_kinds import DETAIL_TYPES, EVENTBRIDGE_SOURCE
from app.models import Event, Subscription
from sandbox.server import Sandbox
from tests.support import app_processes, factories
from tests.support.cloudformation_stack import Stack, deploy
from tests.support.databases import on_sqlite
from tests.support.stored_rows import all_rows

AGREEMENT = "agmt-4mwg1nevbokzw95eca5797ixs"
ARN = f"arn:aws:aws-marketplace::aws:agreement:{AGREEMENT}"
DETAIL: dict[str, Any] = {
    "catalog": "AWSMarketplace",
    "agreement": {"id": AGREEMENT},
    "acceptor": {"accountId": "012345678901"},
}
SUBSCRIBED = {"action": "subscribe-success", "customer-identifier": "X01EXAMPLEX", "product-code": "oldcode123"}
ENTITLED = {"action": "entitlement-updated", "customer-identifier": "X01EXAMPLEX", "product-code": "oldcode123"}


def put_events(
    stack: Stack, *kinds: str, source: str = EVENTBRIDGE_SOURCE, status: str | None = None, **fields: Any
) -> None:
    agreement = {**DETAIL["agreement"], "status": status} if status else DETAIL["agreement"]
    for kind in kinds:
        stack.put_event(source, kind, {**DETAIL, "agreement": agreement, **fields}, ARN)


def test_every_supported_event_arrives_once_in_eventbridges_envelope(stack: Stack) -> None:
    put_events(stack, *DETAIL_TYPES)

    events = stack.receive_all()

    assert sorted(event["detail-type"] for event in events) == sorted(DETAIL_TYPES)
    assert all(event["detail"] == DETAIL and event["resources"] == [ARN] for event in events)
    # AWS's envelope has an "account" as well; moto leaves it out.
    assert all(event["source"] == EVENTBRIDGE_SOURCE and event["region"] == "us-east-1" for event in events)
    assert len({event["id"] for event in events}) == len(DETAIL_TYPES)
    assert all(datetime.fromisoformat(event["time"]).tzinfo for event in events)


@pytest.mark.parametrize(
    "kind",
    [
        "Purchase Agreement Ending - Proposer",
        "Purchase Agreement Created - Acceptor",
        "License Updated - Acceptor",
        "Billing Adjustment Request Created - Proposer",
        "purchase agreement created - proposer",
    ],
)
def test_event_of_another_detail_type_does_not_arrive(stack: Stack, kind: str) -> None:
    put_events(stack, kind)

    assert stack.receive_all() == []


@pytest.mark.parametrize("source", ["aws.marketplacecatalog", "com.example.orders"])
def test_event_of_another_source_does_not_arrive(stack: Stack, source: str) -> None:
    put_events(stack, *DETAIL_TYPES, source=source)

    assert stack.receive_all() == []


def test_old_listings_notification_arrives_in_an_envelope_with_time_and_id(
    stack: Stack, listing_topics: list[str]
) -> None:
    notifications = dict(zip(listing_topics, (SUBSCRIBED, ENTITLED), strict=True))

    message_ids = {
        topic: stack.aws.sns.publish(TopicArn=topic, Message=json.dumps(message))["MessageId"]
        for topic, message in notifications.items()
    }

    envelopes = stack.receive_all()
    assert {envelope["TopicArn"]: json.loads(envelope["Message"]) for envelope in envelopes} == notifications
    assert {envelope["TopicArn"]: envelope["MessageId"] for envelope in envelopes} == message_ids
    assert all(envelope["Type"] == "Notification" for envelope in envelopes)
    assert all(datetime.fromisoformat(envelope["Timestamp"]).tzinfo for envelope in envelopes)


def test_stack_subscribes_four_topics(sandbox: Sandbox, listing_topics: list[str], other_topics: list[str]) -> None:
    all_topics = listing_topics + other_topics

    with deploy(sandbox.aws_url, **{f"TopicArn{n}": arn for n, arn in enumerate(all_topics, 1)}) as stack:
        for arn in all_topics:
            stack.aws.sns.publish(TopicArn=arn, Message=json.dumps(SUBSCRIBED))

        assert sorted(envelope["TopicArn"] for envelope in stack.receive_all()) == sorted(all_topics)


def test_message_received_ten_times_goes_to_the_dead_letter_queue(stack: Stack) -> None:
    put_events(stack, "License Updated - Manufacturer")

    for _ in range(11):
        response = stack.aws.sqs.receive_message(QueueUrl=stack.queue_url, VisibilityTimeout=0, WaitTimeSeconds=0)

    assert "Messages" not in response
    [dead_letter] = stack.aws.sqs.receive_message(QueueUrl=stack.dead_letter_queue_url, WaitTimeSeconds=0)["Messages"]
    assert json.loads(dead_letter["Body"])["detail"] == DETAIL


@on_sqlite
def test_worker_applies_every_event_until_the_subscription_ends(
    stack: Stack, listing_topics: list[str], sandbox: Sandbox, database_url: str, app: Flask
) -> None:
    fields: dict[str, Any] = {
        "product": {"code": factories.PRODUCT_CODE},
        "license": {"arn": "aws:license-manager:us-east-1:1:l-e52ca6f3"},
    }
    kinds = [kind for kind in sorted(DETAIL_TYPES) if not kind.startswith("License")]
    put_events(stack, *kinds, status="CANCELLED")
    put_events(stack, "License Updated - Manufacturer", "License Deprovisioned - Manufacturer", **fields)
    for topic, message in zip(listing_topics, (SUBSCRIBED, ENTITLED), strict=True):
        stack.aws.sns.publish(TopicArn=topic, Message=json.dumps({**message, "product-code": factories.PRODUCT_CODE}))
    environment = {**factories.environment(database_url, sandbox.aws_url), "EVENTS_QUEUE_URL": stack.queue_url}

    with app_processes.run_worker(environment) as worker:
        lines = [app_processes.wait_for_log_event(worker, "event.") for _ in range(len(DETAIL_TYPES) + 2)]
        worker.send_signal(signal.SIGTERM)
        assert app_processes.wait_for_log_event(worker, "worker.stopped")

    assert all(lines)
    assert sorted(event.kind for event in all_rows(app, Event)) == sorted(
        [*DETAIL_TYPES, SUBSCRIBED["action"], ENTITLED["action"]]
    )
    statuses = {row.purchase_key: row.status for row in all_rows(app, Subscription)}
    assert statuses == {"l-e52ca6f3": "ended", f"{factories.PRODUCT_CODE}/X01EXAMPLEX": "active"}
    assert stack.receive_all() == []
