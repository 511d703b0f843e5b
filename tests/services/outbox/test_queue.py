"""The outbox: who may send what and when, while many claim, fail and come late."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from app.database import engine
from app.services.outbox import queue
from app.services.outbox.queue import ClaimedMessage
from app.services.reports import outbox
from tests.support import factories
from tests.support.aws_events import minutes_after_noon
from tests.support.outbox_messages import (
    HANDOFF_LANE,
    LICENSE_DEPROVISIONED,
    LICENSE_UPDATED,
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


def postpone(app: Flask, message: ClaimedMessage, **by: int) -> datetime:
    until = datetime.now(UTC) + timedelta(**by)
    with app.app_context():
        queue.set_next_try(message, until, "503")
    return until


def in_turn(app: Flask) -> list[int | None]:
    """Return the places in the line of those that may go out."""
    return [message.sequence for message in handoff_messages(app) if message.next_try_at]


def test_of_many_who_claim_at_once_each_message_goes_to_one(app: Flask) -> None:
    wanted = {register_customer(app, {"license_arn": f"{ARN}{number}"}) for number in range(6)}
    together = threading.Barrier(4)
    now = datetime.now(UTC)

    def claim_all(_: int) -> list[ClaimedMessage]:
        got = []
        with app.app_context():
            together.wait(10)
            # Who loses a race gets nothing that time, and asks again.
            for _again in range(20):
                if message := queue.claim(HANDOFF_LANE, now):
                    got.append(message)
        return got

    with ThreadPoolExecutor(4) as threads:
        got = [message for messages in threads.map(claim_all, range(4)) for message in messages]

    assert len(got) == len({message.id for message in got}) == 6
    assert {message.subscription_id for message in got} == wanted
    assert {message.tries for message in got} == {1}


def test_two_who_promise_at_once_get_places_of_their_own_and_one_turn(app: Flask) -> None:
    subscription_id = register_customer(app)
    together = threading.Barrier(4)

    def promise(number: int) -> None:
        with app.app_context():
            together.wait(10)
            register_customer(app, phone=f"+1 555 010 {number}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(promise, range(4)))

    messages = handoff_messages(app)
    assert [message.sequence for message in messages] == [1, 2, 3, 4, 5]
    assert {message.subscription_id for message in messages} == {subscription_id}
    assert in_turn(app) == [1]


def test_one_subscription_does_not_wait_for_another(app: Flask) -> None:
    slow = register_customer(app)
    other = register_customer(app, {"license_arn": f"{ARN}other"})
    first = claim_due(app)

    second = claim_due(app)
    third = claim_next(app)

    assert (first.subscription_id, second.subscription_id) == (slow, other)
    assert third is None


def test_one_products_lane_holds_nothing_of_anothers(app: Flask) -> None:
    register_customer(app)

    assert claim_next(app, queue.handoff_lane(factories.OTHER_PRODUCT_CODE)) is None
    assert claim_next(app, queue.MAIL_LANE) is None
    assert claim_next(app)


def test_a_retried_one_goes_out_before_those_behind_it_and_the_line_goes_on(app: Flask) -> None:
    register_customer(app)
    settle_message(app, claim_due(app), "failed")
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))
    first = handoff_messages(app)[0]

    with app.app_context():
        assert outbox.resend(first.id)
    turns = [in_turn(app)]
    for _ in range(3):
        settle_message(app, claim_due(app))
        turns.append(in_turn(app))

    assert turns == [[1], [2], [3], []]


def test_one_under_way_loses_its_turn_to_a_retried_one_before_it(app: Flask) -> None:
    register_customer(app)
    settle_message(app, claim_due(app), "failed")
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    under_way = claim_due(app)

    with app.app_context():
        outbox.resend(handoff_messages(app)[0].id)
    postpone(app, under_way, hours=-1)

    assert under_way.type == "subscription.activated"
    assert in_turn(app) == [1]
    assert claim_due(app).type == "registration.completed"


def test_one_that_was_taken_though_it_had_lost_its_turn_is_delivered_all_the_same(app: Flask) -> None:
    register_customer(app)
    settle_message(app, claim_due(app), "failed")
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    under_way = claim_due(app)
    with app.app_context():
        outbox.resend(handoff_messages(app)[0].id)

    settle_message(app, under_way)

    assert [message.outcome for message in handoff_messages(app)] == ["waiting", "delivered"]
    assert in_turn(app) == [1]


@pytest.mark.parametrize("outcome", ["delivered", "failed", "cancelled"])
def test_what_is_settled_is_never_claimed_again_and_settled_once(app: Flask, outcome: str) -> None:
    subscription_id = register_customer(app)
    first = claim_due(app)

    assert settle_message(app, first, outcome) == subscription_id
    assert settle_message(app, first, "failed") is None

    assert claim_next(app, days=10) is None
    (message,) = handoff_messages(app)
    assert (message.outcome, message.next_try_at) == (outcome, None)
    assert message.settled_at


def test_a_sender_that_was_slow_postpones_nothing_of_the_next_ones(app: Flask) -> None:
    register_customer(app)
    slow = claim_due(app)
    quick = claim_due(app, seconds=30)

    postpone(app, slow, days=1)

    (message,) = handoff_messages(app)
    assert (message.next_try_at, message.fault, message.tries) == (quick.lease.until, None, 2)
    until = postpone(app, quick, minutes=1)
    assert [message.next_try_at for message in handoff_messages(app)] == [until]


def test_a_sender_that_was_slow_may_still_be_the_one_who_delivered(app: Flask) -> None:
    register_customer(app)
    slow, quick = claim_due(app), claim_due(app, seconds=30)

    settle_message(app, slow)
    postpone(app, quick, minutes=1)

    assert claim_next(app, days=1) is None
    assert [message.outcome for message in handoff_messages(app)] == ["delivered"]


def test_what_waited_for_a_worker_for_days_is_tried_for_three_days_all_the_same(app: Flask) -> None:
    register_customer(app)

    first = claim_due(app, days=4)
    postpone(app, first, days=4)
    second = claim_due(app, days=5)
    last = claim_due(app, days=8)

    waited = [message.lease.until - message.due_since - queue.LEASE for message in (first, second, last)]
    assert waited[0] == timedelta()
    assert waited[1] < queue.RETRY_WINDOW < waited[2]


def test_what_could_not_be_committed_was_not_promised(app: Flask) -> None:
    subscription_id = register_customer(app)

    def half_done() -> None:
        with engine.current_database().write_engine.begin() as connection:
            queue.enqueue_handoff(
                connection, HANDOFF_LANE, subscription_id, None, {"type": "subscription.ended", "data": {}}
            )
            raise LookupError

    with app.app_context(), pytest.raises(LookupError):
        half_done()

    assert [message.type for message in handoff_messages(app)] == ["registration.completed"]
