"""Leases of reviews: one worker at a time, again after whatever happened meanwhile, and after an error later."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete, update

from app.models import Event, Subscription
from app.services.events import apply, review
from sandbox.server import Sandbox
from tests.support.aws_events import eventbridge_event, parse_event
from tests.support.clock import time_passes
from tests.support.contract_purchases import act, buy, ingest_all, land, review_due, stored_values
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows


def test_landing_during_a_review_is_reviewed_again(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, buy(sandbox), "confirm")
    land(app, purchase)
    with app.app_context():
        claimed = review.claim()
    land(app, purchase)

    assert claimed
    assert review_due(app)[0] is True


def test_renewal_during_a_review_reads_its_own_entitlements(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, buy(sandbox), "confirm")
    land(app, purchase)
    ingest_all(app, sandbox)
    with app.app_context():
        claimed = review.claim()
    [before] = all_rows(app, Subscription)
    act(sandbox, purchase, "renew", new_license=True)

    ingest_all(app, sandbox)
    [renewed] = all_rows(app, Subscription)

    assert claimed
    assert renewed.purchase_key != before.purchase_key
    assert renewed.review_at
    assert renewed.review_at < claimed.until
    assert review_due(app)[0] is True
    assert stored_values(app) == {"seats": 25, "tier": "standard"}


def test_review_is_claimed_once_and_again_after_the_lease(app: Flask, sandbox: Sandbox) -> None:
    land(app, buy(sandbox))

    with app.app_context():
        first, second = review.claim(), review.claim()
        with time_passes(minutes=5):
            after_the_lease = review.claim()

    assert first
    assert second is None
    assert after_the_lease
    assert after_the_lease.id == first.id


def test_review_with_an_error_is_rescheduled_and_blocks_no_other(
    app: Flask, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with app.app_context():
        apply.ingest(parse_event(eventbridge_event("License Updated - Manufacturer")))
    run_transaction(app, lambda connection: connection.execute(update(Event).values(body={})))
    land(app, act(sandbox, buy(sandbox), "confirm"))
    [failing, other] = all_rows(app, Subscription)

    backoffs = [backoff_after_review(app, failing.id) for _ in range(3)]

    assert all_rows(app, Subscription)[1].review_at is None
    assert other.review_at
    assert review.LEASE < backoffs[1] < backoffs[2]
    assert '"event": "review.failed"' in capsys.readouterr().err
    run_transaction(app, lambda connection: connection.execute(delete(Event)))
    backoff_after_review(app, failing.id)
    assert [row.review_failures for row in all_rows(app, Subscription)] == [0, 0]


def backoff_after_review(app: Flask, subscription_id: UUID) -> timedelta:
    """Review everything once that subscription is due, and return after how long it is due again."""
    before = next(row for row in all_rows(app, Subscription) if row.id == subscription_id)
    assert before.review_at
    now = max(before.review_at, datetime.now(UTC)) + timedelta(seconds=1)
    with app.app_context(), time_machine.travel(now, tick=False):
        assert [review.process_next() for _ in range(3)][-1] is None
    after = next(row for row in all_rows(app, Subscription) if row.id == subscription_id)
    return after.review_at - now if after.review_at else timedelta()
