"""Gauges: what waits to be sent and what failed, hand-offs and mails each on their own."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.services.outbox import queue
from app.services.reports import gauges
from tests import factories
from tests.events import at
from tests.promised import UPDATED, claimed, is_told, register, settle

NAMES = ("handoffs_waiting", "handoffs_oldest_seconds", "handoffs_failed", "mails_waiting", "mails_failed")


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.promise(environment)


def measured(app: Flask) -> list[float]:
    with app.app_context():
        current = gauges.current()
    return [current[f"foyer_{name}"] for name in NAMES]


def test_an_outbox_without_anything_measures_nothing(app: Flask) -> None:
    assert measured(app) == [0, 0, 0, 0, 0]


def test_what_waits_and_what_failed_is_counted_and_the_oldest_is_timed(app: Flask) -> None:
    start = datetime.now(UTC)
    with time_machine.travel(start, tick=False):
        register(app)
        is_told(app, UPDATED, at(1))
    with time_machine.travel(start + timedelta(seconds=90), tick=False):
        under_way = measured(app)
        settle(app, claimed(app), "failed")
        settle(app, claimed(app, queue.MAIL), "failed")
        settle(app, claimed(app, queue.MAIL), "failed")
        settle(app, claimed(app, queue.MAIL))
        after = measured(app)
        settle(app, claimed(app))
        at_last = measured(app)

    assert under_way == [2, 90, 0, 4, 0]
    assert after == [1, 90, 1, 1, 2]
    assert at_last == [0, 0, 1, 1, 2]


def test_what_was_promised_to_a_product_that_takes_no_hand_offs_any_more_is_not_counted(
    app: Flask, environment: pytest.MonkeyPatch
) -> None:
    register(app)
    is_told(app, UPDATED, at(1))
    settle(app, claimed(app), "failed")
    before = measured(app)
    environment.delenv("PRODUCT_HANDOFF_URL")

    with factories.running(create_app()) as without:
        after = measured(without)

    assert before[::2] == [1, 1, 0]
    assert after == [0, 0, 0, before[3], 0]


def test_what_was_to_be_mailed_is_not_counted_while_no_mail_is_sent(
    app: Flask, environment: pytest.MonkeyPatch
) -> None:
    register(app)
    settle(app, claimed(app, queue.MAIL), "failed")
    before = measured(app)
    environment.delenv("MAIL_FROM")

    with factories.running(create_app()) as without:
        after = measured(without)

    assert before[3:] == [1, 1]
    assert after == [before[0], pytest.approx(before[1], abs=5), before[2], 0, 0]
