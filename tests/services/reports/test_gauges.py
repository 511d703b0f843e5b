"""Gauges of the outbox: waiting and failed messages, hand-offs and mails counted separately."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.services.outbox import queue
from app.services.reports import gauges
from tests.support import factories
from tests.support.aws_events import LICENSE_UPDATED, minutes_after_noon
from tests.support.outbox_messages import claim_due, receive_license_event, register_customer, settle_message

NAMES = ("handoffs_waiting", "handoffs_oldest_seconds", "handoffs_failed", "mails_waiting", "mails_failed")


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


def measure(app: Flask) -> list[float]:
    with app.app_context():
        current = gauges.current()
    return [current[f"foyer_{name}"] for name in NAMES]


def test_empty_outbox_measures_zero(app: Flask) -> None:
    assert measure(app) == [0, 0, 0, 0, 0]


def test_waiting_and_failed_messages_are_counted_and_oldest_is_timed(app: Flask) -> None:
    start = datetime.now(UTC)
    with time_machine.travel(start, tick=False):
        register_customer(app)
        receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    with time_machine.travel(start + timedelta(seconds=90), tick=False):
        before = measure(app)
        settle_message(app, claim_due(app), "failed")
        settle_message(app, claim_due(app, queue.MAIL_LANE), "failed")
        settle_message(app, claim_due(app, queue.MAIL_LANE), "failed")
        settle_message(app, claim_due(app, queue.MAIL_LANE))
        after = measure(app)
        settle_message(app, claim_due(app))
        last = measure(app)

    assert before == [2, 90, 0, 4, 0]
    assert after == [1, 90, 1, 1, 2]
    assert last == [0, 0, 1, 1, 2]


def test_handoffs_of_a_product_without_endpoint_are_not_counted(app: Flask, environment: pytest.MonkeyPatch) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    settle_message(app, claim_due(app), "failed")
    before = measure(app)
    environment.delenv("PRODUCT_HANDOFF_URL")

    with factories.open_app(create_app()) as restarted:
        after = measure(restarted)

    assert before[::2] == [1, 1, 0]
    assert after == [0, 0, 0, before[3], 0]


def test_mails_are_not_counted_while_mail_is_not_set_up(app: Flask, environment: pytest.MonkeyPatch) -> None:
    register_customer(app)
    settle_message(app, claim_due(app, queue.MAIL_LANE), "failed")
    before = measure(app)
    environment.delenv("MAIL_FROM")

    with factories.open_app(create_app()) as restarted:
        after = measure(restarted)

    assert before[3:] == [1, 1]
    assert after == [before[0], pytest.approx(before[1], abs=5), before[2], 0, 0]
