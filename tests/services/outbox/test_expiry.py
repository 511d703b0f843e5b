"""What waits for a lane that was switched off is given up, and does not go out once the lane is on again."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from app import create_app
from app.models import OutboxMessage
from app.services.outbox import queue
from app.worker import loop
from tests.support import factories
from tests.support.aws_events import LICENSE_DEPROVISIONED, LICENSE_UPDATED, minutes_after_noon
from tests.support.clock import time_passes
from tests.support.factories import OTHER_PRODUCT_CODE
from tests.support.outbox_messages import claim_next, receive_license_event, register_customer
from tests.support.stored_rows import all_rows


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


def outcomes(app: Flask) -> set[tuple[str, str, str | None]]:
    """Return each lane with the outcomes and faults of its messages."""
    return {
        (message.lane.partition("/")[0], message.outcome, message.fault) for message in all_rows(app, OutboxMessage)
    }


def give_up_stale(app: Flask, **after: float) -> None:
    """Run the worker's chore later by this much time."""
    with app.app_context(), time_passes(**after):
        loop.purge()


@pytest.fixture
def switched_off(app: Flask, environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application after a buyer registered, and then hand-offs and mail were switched off."""
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    for name in ("PRODUCT_HANDOFF_URL", "HANDOFF_SECRET", "MAIL_FROM"):
        environment.delenv(name, raising=False)
    with factories.open_app(create_app()) as switched_off:
        yield switched_off


def test_messages_of_lanes_that_are_off_are_given_up_after_three_days(
    app: Flask, switched_off: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    give_up_stale(switched_off, days=2, hours=23)
    before = outcomes(app)
    give_up_stale(switched_off, days=3, seconds=1)

    assert before == {("handoff", "waiting", None), ("mail", "waiting", None)}
    assert outcomes(app) == {("handoff", "failed", "switched_off"), ("mail", "failed", "switched_off")}
    logged = [line for line in capsys.readouterr().err.splitlines() if "outbox.given_up" in line]
    assert len(logged) == 2
    assert '"lane": "mail"' in "".join(logged)
    with time_passes(days=4):
        assert claim_next(app) is None
        assert claim_next(app, queue.MAIL_LANE) is None


def test_messages_of_lanes_that_are_on_wait_as_long_as_no_worker_runs(app: Flask) -> None:
    register_customer(app)

    give_up_stale(app, days=30)

    assert {outcome for _, outcome, _ in outcomes(app)} == {"waiting"}


def test_younger_hand_off_behind_a_stale_one_becomes_due(app: Flask, switched_off: Flask) -> None:
    with time_passes(days=2):
        receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))

    give_up_stale(switched_off, days=3, seconds=1)

    with time_passes(days=3, minutes=1):
        claimed = claim_next(app)
    assert claimed
    assert claimed.type == "subscription.ended"


def test_lane_of_another_product_is_kept(app: Flask, environment: pytest.MonkeyPatch) -> None:
    register_customer(app)
    environment.setenv("PRODUCT_CODE", OTHER_PRODUCT_CODE)
    environment.delenv("MAIL_FROM")

    with factories.open_app(create_app()) as other:
        give_up_stale(other, days=4)

    assert {outcome for lane, outcome, _ in outcomes(app) if lane == "handoff"} == {"failed"}


def test_many_stale_messages_are_given_up_in_batches(app: Flask, switched_off: Flask) -> None:
    for number in range(3):
        register_customer(app, {"license_arn": f"{factories.customer().license_arn}{number}"})
    waiting = len(all_rows(app, OutboxMessage))

    give_up_stale(switched_off, days=3, seconds=timedelta(minutes=5).total_seconds())

    assert waiting > 6
    assert {outcome for _, outcome, _ in outcomes(app)} == {"failed"}
