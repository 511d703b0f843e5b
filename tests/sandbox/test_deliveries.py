"""Delivery of events to the queue: at once, late, twice or reversed, and the state of each event."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import boto3
import pytest
import time_machine

from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient, QueueReader
from tests.sandbox.test_actions import CONTRACT, create_purchase

ORDER = Order(product_code="insights1example", account_id="111122223333")


def states(sandbox: Sandbox) -> list[str]:
    return [event.state for event in sandbox.marketplace.events()]


def test_worker_needs_only_the_endpoint_and_the_queue_url(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.marketplace.buy(ORDER)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sandbox")
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.aws_url)

    with closing(boto3.client("sqs", region_name="us-east-1")) as sqs:
        received = sqs.receive_message(QueueUrl=sandbox.queue_url)
    with closing(boto3.client("marketplace-entitlement", region_name="us-east-1")) as entitlements:
        entitled = entitlements.get_entitlements(ProductCode="insights1example")

    assert sandbox.queue_url == f"{sandbox.aws_url}/123456789012/{sandbox.queue_url.rpartition('/')[2]}"
    assert len(received["Messages"]) == 1
    assert entitled["Entitlements"] == []


def test_queue_has_the_attributes_of_a_real_deployment(create_client: CreateClient) -> None:
    with Sandbox() as another:
        attributes = create_client("sqs", endpoint_url=another.aws_url).get_queue_attributes(
            QueueUrl=another.queue_url, AttributeNames=["All"]
        )["Attributes"]

    assert attributes["VisibilityTimeout"] == "60"
    assert '"maxReceiveCount": 10' in attributes["RedrivePolicy"]
    assert f'{attributes["QueueArn"]}-dead-letters"' in attributes["RedrivePolicy"]


def test_event_is_queued_then_in_flight_then_done(sandbox: Sandbox, queue: QueueReader) -> None:
    sandbox.marketplace.buy(ORDER)

    queued = states(sandbox)
    queue.receive()
    in_flight = states(sandbox)
    queue.delete_received()

    assert (queued, in_flight, states(sandbox)) == (["queued"], ["in_flight"], ["done"])


def test_event_not_deleted_in_time_is_queued_again(sandbox: Sandbox, queue: QueueReader) -> None:
    sandbox.marketplace.buy(ORDER)
    queue.receive()

    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61)):
        (event,) = sandbox.marketplace.events()

    assert (event.state, event.copies[0].reads) == ("queued", 1)


def test_event_read_ten_times_becomes_a_dead_letter(sandbox: Sandbox, queue: QueueReader) -> None:
    sandbox.marketplace.buy(ORDER)

    for _ in range(11):
        queue.receive(VisibilityTimeout=0)

    (event,) = sandbox.marketplace.events()
    assert (event.state, event.copies[0].reads) == ("dead_letter", 10)


def test_late_event_is_held_back_until_it_is_delivered(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, CONTRACT)
    queue.receive_and_delete_all()
    sandbox.marketplace.apply_action(purchase, "confirm", delivery="late")
    held = sandbox.marketplace.apply_action(purchase, "expire", delivery="late")
    received_before = queue.receive()

    delivered = sandbox.marketplace.deliver(held[1].id)

    assert (received_before, delivered.state) == ([], "queued")
    assert states(sandbox) == ["done", "held", "held", "queued"]
    assert [event["id"] for event in queue.receive_and_delete_all()] == [held[1].id]


@pytest.mark.parametrize(("sequence", "step"), [("as_happened", 1), ("reversed", -1)])
def test_held_events_are_released_in_the_requested_order(
    sandbox: Sandbox, queue: QueueReader, sequence: str, step: int
) -> None:
    purchase = create_purchase(sandbox)
    queue.receive_and_delete_all()
    first = sandbox.marketplace.apply_action(purchase, "confirm", delivery="late")
    second = sandbox.marketplace.apply_action(purchase, "expire", delivery="late")

    sandbox.marketplace.release(order=sequence)  # type: ignore[arg-type]  # the parameter is a str, not a literal

    assert [event["id"] for event in queue.receive_and_delete_all()] == [event.id for event in (first + second)][::step]


def test_release_of_one_purchase_leaves_the_others_held(sandbox: Sandbox) -> None:
    one, _ = (sandbox.marketplace.buy(ORDER.model_copy(update={"delivery": "late"})) for _ in range(2))

    sandbox.marketplace.release(one)

    assert states(sandbox) == ["queued", "held"]


def test_twice_sends_two_messages_with_the_same_id(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, CONTRACT, "old")

    (event,) = sandbox.marketplace.apply_action(purchase, "confirm", delivery="twice")

    assert len(event.copies) == 2
    assert [envelope["MessageId"] for envelope in queue.receive_and_delete_all()] == [event.id, event.id]


def test_event_is_done_when_all_its_messages_are_deleted(sandbox: Sandbox, queue: QueueReader) -> None:
    sandbox.marketplace.buy(ORDER.model_copy(update={"delivery": "twice"}))

    queue.receive(MaxNumberOfMessages=1)
    queue.delete_received()
    half = states(sandbox)
    queue.receive_and_delete_all()

    assert (half, states(sandbox)) == (["queued"], ["done"])


def test_reversed_sends_the_events_of_an_action_latest_first(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, actions="confirm")
    queue.receive_and_delete_all()

    events = sandbox.marketplace.apply_action(purchase, "renew", delivery="reversed")

    assert [event["id"] for event in queue.receive_and_delete_all()] == [event.id for event in events[::-1]]


def test_reversed_event_overtakes_the_held_events_of_its_purchase(sandbox: Sandbox, queue: QueueReader) -> None:
    other = sandbox.marketplace.buy(ORDER.model_copy(update={"delivery": "late"}))
    purchase = sandbox.marketplace.buy(ORDER.model_copy(update={"delivery": "late"}))

    sandbox.marketplace.apply_action(purchase, "confirm", delivery="reversed")

    kinds = [event["detail-type"].partition(" -")[0] for event in queue.receive_and_delete_all()]
    assert kinds == ["License Updated", "Purchase Agreement Created"]
    assert [event.state for event in sandbox.marketplace.events(other)] == ["held"]


def test_event_delivered_again_keeps_its_id(sandbox: Sandbox, queue: QueueReader) -> None:
    sandbox.marketplace.buy(ORDER)
    (event,) = queue.receive_and_delete_all()

    redelivered = sandbox.marketplace.deliver(event["id"])

    assert (redelivered.state, len(redelivered.copies)) == ("queued", 2)
    assert queue.receive_and_delete_all() == [event]


def test_long_poll_returns_with_the_event_and_blocks_no_other_call(
    sandbox: Sandbox, queue: QueueReader, create_client: CreateClient
) -> None:
    with ThreadPoolExecutor() as pool:
        poll = pool.submit(queue.receive, WaitTimeSeconds=20)
        with pytest.raises(TimeoutError):
            poll.result(0.2)
        create_client("sts").get_caller_identity()
        sandbox.reset()
        sandbox.marketplace.buy(ORDER)
        received = poll.result(30)

    assert len(received) == 1


def test_reset_empties_the_queue(sandbox: Sandbox, queue: QueueReader) -> None:
    sandbox.marketplace.buy(ORDER)

    sandbox.reset()

    assert queue.receive() == []
    assert sandbox.marketplace.events() == []


def test_each_sandbox_has_its_own_queue(sandbox: Sandbox, queue: QueueReader, create_client: CreateClient) -> None:
    with Sandbox() as other:
        other.marketplace.buy(ORDER)
        received = queue.receive()
        received_from_other = QueueReader(create_client("sqs", endpoint_url=other.aws_url), other.queue_url).receive()

    assert (len(received), len(received_from_other)) == (0, 1)
