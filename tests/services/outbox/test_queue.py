"""The outbox's queue: claims, leases, retries, and the order of one subscription's hand-offs."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from app.database import transactions
from app.services.outbox import queue
from app.services.outbox.queue import ClaimedMessage
from app.services.reports import outbox
from tests.support import factories
from tests.support.aws_events import LICENSE_DEPROVISIONED, LICENSE_UPDATED, minutes_after_noon
from tests.support.outbox_messages import (
    HANDOFF_LANE,
    claim_due,
    claim_next,
    handoff_messages,
    receive_license_event,
    register_customer,
    settle_message,
)

ARN = "arn:aws:license-manager::294406891311:license:l-"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    factories.enable_handoffs(environment)
    return environment


def reschedule(app: Flask, message: ClaimedMessage, **delay: int) -> datetime:
    """Reschedule the message; return the time of its next try."""
    with app.app_context(), time_machine.travel(datetime.now(UTC), tick=False):
        queue.reschedule(message, timedelta(**delay).total_seconds(), "503")
        return datetime.now(UTC) + timedelta(**delay)


def due_sequences(app: Flask) -> list[int | None]:
    """Return the sequences of the hand-offs that have a time for their next try."""
    return [message.sequence for message in handoff_messages(app) if message.next_try_at]


def test_concurrent_claims_give_each_message_to_one_worker(app: Flask) -> None:
    subscription_ids = {register_customer(app, {"license_arn": f"{ARN}{number}"}) for number in range(6)}
    barrier = threading.Barrier(4)

    def claim_all(_: int) -> list[ClaimedMessage]:
        claimed = []
        with app.app_context():
            barrier.wait(10)
            # A worker that loses a race gets nothing that time.
            for _attempt in range(20):
                if message := queue.claim(HANDOFF_LANE):
                    claimed.append(message)
        return claimed

    with ThreadPoolExecutor(4) as threads:
        claimed = [message for messages in threads.map(claim_all, range(4)) for message in messages]

    assert len(claimed) == len({message.id for message in claimed}) == 6
    assert {message.subscription_id for message in claimed} == subscription_ids
    assert {message.tries for message in claimed} == {1}


def test_concurrent_enqueues_get_own_sequences_and_only_one_is_due(app: Flask) -> None:
    subscription_id = register_customer(app)
    barrier = threading.Barrier(4)

    def enqueue(number: int) -> None:
        with app.app_context():
            barrier.wait(10)
            register_customer(app, phone=f"+1 555 010 {number}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(enqueue, range(4)))

    messages = handoff_messages(app)
    assert [message.sequence for message in messages] == [1, 2, 3, 4, 5]
    assert {message.subscription_id for message in messages} == {subscription_id}
    assert due_sequences(app) == [1]


def test_subscriptions_do_not_wait_for_each_other(app: Flask) -> None:
    first_id = register_customer(app)
    second_id = register_customer(app, {"license_arn": f"{ARN}other"})
    first = claim_due(app)

    second = claim_due(app)
    third = claim_next(app)

    assert (first.subscription_id, second.subscription_id) == (first_id, second_id)
    assert third is None


def test_claim_takes_only_from_its_own_lane(app: Flask) -> None:
    register_customer(app)

    assert claim_next(app, queue.handoff_lane(factories.OTHER_PRODUCT_CODE)) is None
    assert claim_next(app, queue.MAIL_LANE) is None
    assert claim_next(app)


def test_resent_handoff_is_due_before_later_ones(app: Flask) -> None:
    register_customer(app)
    settle_message(app, claim_due(app), "failed")
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))
    first = handoff_messages(app)[0]

    with app.app_context():
        assert outbox.resend(first.id)
    due = [due_sequences(app)]
    for _ in range(3):
        settle_message(app, claim_due(app))
        due.append(due_sequences(app))

    assert due == [[1], [2], [3], []]


def test_claimed_handoff_waits_for_an_earlier_resent_one(app: Flask) -> None:
    register_customer(app)
    settle_message(app, claim_due(app), "failed")
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    claimed = claim_due(app)

    with app.app_context():
        outbox.resend(handoff_messages(app)[0].id)
    reschedule(app, claimed, hours=-1)

    assert claimed.type == "subscription.activated"
    assert due_sequences(app) == [1]
    assert claim_due(app).type == "registration.completed"


def test_claimed_handoff_is_settled_despite_an_earlier_resent_one(app: Flask) -> None:
    register_customer(app)
    settle_message(app, claim_due(app), "failed")
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    claimed = claim_due(app)
    with app.app_context():
        outbox.resend(handoff_messages(app)[0].id)

    settle_message(app, claimed)

    assert [message.outcome for message in handoff_messages(app)] == ["waiting", "delivered"]
    assert due_sequences(app) == [1]


@pytest.mark.parametrize("outcome", ["delivered", "failed", "cancelled"])
def test_settled_message_is_neither_claimed_nor_settled_again(app: Flask, outcome: str) -> None:
    subscription_id = register_customer(app)
    first = claim_due(app)

    assert settle_message(app, first, outcome) == subscription_id
    assert settle_message(app, first, "failed") is None

    assert claim_next(app, days=10) is None
    (message,) = handoff_messages(app)
    assert (message.outcome, message.next_try_at) == (outcome, None)
    assert message.settled_at


def test_expired_lease_cannot_reschedule(app: Flask) -> None:
    register_customer(app)
    slow = claim_due(app)
    quick = claim_due(app, seconds=30)

    reschedule(app, slow, days=1)

    (message,) = handoff_messages(app)
    assert (message.next_try_at, message.fault, message.tries) == (quick.lease.until, None, 2)
    until = reschedule(app, quick, minutes=1)
    assert [message.next_try_at for message in handoff_messages(app)] == [until]


def test_expired_lease_may_still_settle(app: Flask) -> None:
    register_customer(app)
    slow, quick = claim_due(app), claim_due(app, seconds=30)

    settle_message(app, slow)
    reschedule(app, quick, minutes=1)

    assert claim_next(app, days=1) is None
    assert [message.outcome for message in handoff_messages(app)] == ["delivered"]


def test_retry_window_begins_with_the_first_try(app: Flask) -> None:
    register_customer(app)

    first = claim_due(app, days=4)
    reschedule(app, first, days=4)
    second = claim_due(app, days=5)
    last = claim_due(app, days=8)

    waits = [message.lease.until - message.due_since - queue.LEASE for message in (first, second, last)]
    assert waits[0] == timedelta()
    assert waits[1] < queue.RETRY_WINDOW < waits[2]


def test_rolled_back_handoff_is_not_enqueued(app: Flask) -> None:
    subscription_id = register_customer(app)

    def enqueue_and_fail() -> None:
        with transactions.current_database().write_engine.begin() as connection:
            payload = {"type": "subscription.ended", "data": {}}
            handoff = queue.next_handoff(connection, HANDOFF_LANE, subscription_id, None, payload)
            queue.enqueue(connection, [handoff])
            raise LookupError

    with app.app_context(), pytest.raises(LookupError):
        enqueue_and_fail()

    assert [message.type for message in handoff_messages(app)] == ["registration.completed"]
