"""What happens on AWS Marketplace reaches the queue of the stack, as AWS wraps it; and nothing else does."""

import json
import signal
from datetime import datetime
from typing import Any

import pytest
from flask import Flask

from app.models import Event, Subscription
from app.services.purchases.aws_event import DETAIL_TYPES, EVENTBRIDGE_SOURCE
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


def put(stack: Stack, *kinds: str, source: str = EVENTBRIDGE_SOURCE, status: str | None = None, **about: Any) -> None:
    agreement = {**DETAIL["agreement"], "status": status} if status else DETAIL["agreement"]
    detail = json.dumps({**DETAIL, "agreement": agreement, **about})
    for kind in kinds:
        entry: Any = {"Source": source, "DetailType": kind, "Detail": detail, "Resources": [ARN]}
        assert stack.aws.events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_every_kind_of_event_that_foyer_knows_arrives_once_in_eventbridges_envelope(stack: Stack) -> None:
    put(stack, *DETAIL_TYPES)

    events = stack.receive_all()

    assert sorted(event["detail-type"] for event in events) == sorted(DETAIL_TYPES)
    assert all(event["detail"] == DETAIL and event["resources"] == [ARN] for event in events)
    # AWS's have an "account" as well; moto leaves it out.
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
def test_an_event_of_another_kind_does_not_arrive(stack: Stack, kind: str) -> None:
    put(stack, kind)

    assert stack.receive_all() == []


@pytest.mark.parametrize("source", ["aws.marketplacecatalog", "com.example.orders"])
def test_an_event_of_another_source_does_not_arrive(stack: Stack, source: str) -> None:
    put(stack, *DETAIL_TYPES, source=source)

    assert stack.receive_all() == []


def test_what_an_old_listings_topics_say_arrives_in_the_envelope_that_has_its_time_and_id(
    stack: Stack, listing_topics: list[str]
) -> None:
    said = dict(zip(listing_topics, (SUBSCRIBED, ENTITLED), strict=True))

    sent = {
        topic: stack.aws.sns.publish(TopicArn=topic, Message=json.dumps(message))["MessageId"]
        for topic, message in said.items()
    }

    envelopes = stack.receive_all()
    assert {envelope["TopicArn"]: json.loads(envelope["Message"]) for envelope in envelopes} == said
    assert {envelope["TopicArn"]: envelope["MessageId"] for envelope in envelopes} == sent
    assert all(envelope["Type"] == "Notification" for envelope in envelopes)
    assert all(datetime.fromisoformat(envelope["Timestamp"]).tzinfo for envelope in envelopes)


def test_four_topics_can_be_subscribed_in_one_stack(
    sandbox: Sandbox, listing_topics: list[str], other_topics: list[str]
) -> None:
    every = listing_topics + other_topics

    with deploy(sandbox.aws_url, **{f"TopicArn{n}": arn for n, arn in enumerate(every, 1)}) as stack:
        for arn in every:
            stack.aws.sns.publish(TopicArn=arn, Message=json.dumps(SUBSCRIBED))

        assert sorted(envelope["TopicArn"] for envelope in stack.receive_all()) == sorted(every)


def test_a_message_that_is_received_ten_times_in_vain_is_set_aside(stack: Stack) -> None:
    put(stack, "License Updated - Manufacturer")

    for _ in range(11):
        answer = stack.aws.sqs.receive_message(QueueUrl=stack.queue_url, VisibilityTimeout=0, WaitTimeSeconds=0)

    assert "Messages" not in answer
    [kept] = stack.aws.sqs.receive_message(QueueUrl=stack.dead_letter_queue_url, WaitTimeSeconds=0)["Messages"]
    assert json.loads(kept["Body"])["detail"] == DETAIL


@on_sqlite
def test_the_worker_takes_every_event_in_and_follows_the_subscription_to_its_end(
    stack: Stack, listing_topics: list[str], sandbox: Sandbox, database_url: str, app: Flask
) -> None:
    about: dict[str, Any] = {
        "product": {"code": factories.PRODUCT_CODE},
        "license": {"arn": "aws:license-manager:us-east-1:1:l-e52ca6f3"},
    }
    kinds = [kind for kind in sorted(DETAIL_TYPES) if not kind.startswith("License")]
    put(stack, *kinds, status="CANCELLED")
    put(stack, "License Updated - Manufacturer", "License Deprovisioned - Manufacturer", **about)
    for topic, message in zip(listing_topics, (SUBSCRIBED, ENTITLED), strict=True):
        stack.aws.sns.publish(TopicArn=topic, Message=json.dumps({**message, "product-code": factories.PRODUCT_CODE}))
    environment = {**factories.environment(database_url, sandbox.aws_url), "EVENTS_QUEUE_URL": stack.queue_url}

    with app_processes.run_worker(environment) as worker:
        lines = [app_processes.wait_for_log_event(worker, "event.") for _ in range(len(DETAIL_TYPES) + 2)]
        worker.send_signal(signal.SIGTERM)
        assert app_processes.wait_for_log_event(worker, "worker.stopped")

    assert all(lines)
    assert sorted(event.kind for event in all_rows(app, Event)) == sorted(
        [*DETAIL_TYPES, *(m["action"] for m in (SUBSCRIBED, ENTITLED))]
    )
    statuses = {row.purchase_key: row.status for row in all_rows(app, Subscription)}
    assert statuses == {"l-e52ca6f3": "ended", f"{factories.PRODUCT_CODE}/X01EXAMPLEX": "active"}
    assert stack.receive_all() == []
