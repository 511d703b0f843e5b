"""Reviews read entitlements after a landing and after each change; while AWS does not answer, the stored ones stay."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.models import OutboxMessage, Subscription
from app.services.events import apply, review
from app.services.purchases import entitlements
from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.aws_events import eventbridge_event, parse_event, sns_notification
from tests.support.contract_purchases import (
    MANY_ENTITLEMENTS,
    act,
    buy,
    ingest_all,
    ingest_first,
    land,
    review_due,
    stored_status,
    stored_values,
)
from tests.support.stored_rows import all_rows


@pytest.mark.parametrize("style", ["new", "old"])
def test_landing_reads_entitlements_with_value_expiry_and_time(app: Flask, sandbox: Sandbox, style: str) -> None:
    purchase = act(sandbox, buy(sandbox, style=style), "confirm")
    land(app, purchase)

    assert review_due(app) == [True, None]

    assert stored_values(app) == {"seats": 25, "tier": "standard"}
    [subscription] = all_rows(app, Subscription)
    assert all(
        entitlement.expires_at and entitlement.expires_at > datetime.now(UTC)
        for entitlement in entitlements.load_stored(subscription)
    )
    assert subscription.entitlements_read_at
    assert datetime.now(UTC) - subscription.entitlements_read_at < timedelta(minutes=1)


def test_all_pages_are_read_beside_an_empty_one(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, buy(sandbox), "confirm")
    act(sandbox, purchase, "change_entitlements", entitlements=MANY_ENTITLEMENTS)
    sandbox.marketplace.faults = Faults(empty_page=True)
    land(app, purchase)

    review_due(app)

    assert len(stored_values(app)) == 30


def test_entitlements_of_another_license_are_left_out(app: Flask, sandbox: Sandbox) -> None:
    first = act(sandbox, buy(sandbox, account_id="044455556666"), "confirm")
    other = act(sandbox, buy(sandbox, account_id="044455556666"), "confirm")
    act(sandbox, other, "change_entitlements", entitlements=MANY_ENTITLEMENTS)
    land(app, first)

    review_due(app)

    assert stored_values(app) == {"seats": 25, "tier": "standard"}


def test_license_spelled_by_an_event_gets_its_own_entitlements(app: Flask, sandbox: Sandbox) -> None:
    first = act(sandbox, buy(sandbox, account_id="044455556666"), "confirm")
    other = act(sandbox, buy(sandbox, account_id="044455556666"), "confirm")
    act(sandbox, other, "change_entitlements", entitlements=MANY_ENTITLEMENTS)
    license_id = str(first.license_arn).rpartition(":")[2]
    with app.app_context():
        spelled = eventbridge_event("License Updated - Manufacturer", license=license_id, account="044455556666")
        apply.ingest(parse_event(spelled))

    review_due(app)

    assert stored_values(app) == {"seats": 25, "tier": "standard"}


def test_changed_entitlements_are_read_again(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, buy(sandbox), "confirm")
    land(app, purchase)
    ingest_all(app, sandbox)
    review_due(app)
    act(sandbox, purchase, "change_entitlements", entitlements=[{"dimension": "seats", "value": 40}])

    ingest_all(app, sandbox)
    review_due(app)

    assert stored_values(app) == {"seats": 40}
    assert stored_status(app) == "active"


def test_old_contract_begins_and_ends_with_its_entitlements(app: Flask, sandbox: Sandbox) -> None:
    purchase = buy(sandbox, style="old")
    land(app, purchase)
    review_due(app)
    before = (stored_status(app), stored_values(app))

    purchase = act(sandbox, purchase, "confirm")
    ingest_all(app, sandbox)
    after_event = stored_status(app)
    review_due(app)
    confirmed = stored_status(app)
    act(sandbox, purchase, "expire")
    ingest_all(app, sandbox)
    review_due(app)

    assert before == ("pending", {})
    assert (after_event, confirmed, stored_status(app)) == ("pending", "active", "ended")


def review_later(app: Flask) -> str:
    """Review the only subscription when it is due; return its status then."""
    [subscription] = all_rows(app, Subscription)
    assert subscription.review_at
    with time_machine.travel(subscription.review_at, tick=False), app.app_context():
        review.process_next()
    return stored_status(app)


@pytest.mark.parametrize("events", [1, 2])
@pytest.mark.parametrize("lands_first", [True, False])
def test_empty_answer_does_not_end_a_contract_that_never_began(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, events: int, lands_first: bool
) -> None:
    environment.setenv("PRODUCT_PRICING", "contract")
    factories.enable_handoffs(environment, "https://app.acme.example/foyer")
    purchase = buy(sandbox, style="old")
    with factories.open_app(create_app()) as app:
        if lands_first:
            land(app, purchase)
            review_due(app)
        purchase = act(sandbox, act(sandbox, purchase, "confirm"), "change_entitlements", entitlements=[])
        ingest_first(app, sandbox, events)
        statuses = [stored_status(app), *(review_later(app) for _ in range(3))]
        types_meanwhile = [message.type for message in all_rows(app, OutboxMessage)]
        act(sandbox, purchase, "change_entitlements", entitlements=[{"dimension": "seats", "value": 40}])
        statuses.append(review_later(app))
        types = [message.type for message in all_rows(app, OutboxMessage)]

    assert statuses == ["pending"] * 4 + ["active"]
    assert (types_meanwhile, "subscription.activated" in types) == ([], True)


def test_many_empty_answers_are_believed(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, act(sandbox, buy(sandbox, style="old"), "confirm"), "change_entitlements", entitlements=[])
    land(app, purchase)
    ingest_all(app, sandbox)

    statuses = [review_later(app) for _ in range(review.BELIEVED_EMPTY_ANSWERS)]

    assert statuses == ["pending"] * (review.BELIEVED_EMPTY_ANSWERS - 1) + ["ended"]
    assert [subscription.review_at for subscription in all_rows(app, Subscription)] == [None]


def test_returning_contract_is_ended_until_its_entitlements_come(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, buy(sandbox, style="old"), "confirm")
    land(app, purchase)
    ingest_all(app, sandbox)
    review_due(app)
    act(sandbox, purchase, "change_entitlements", entitlements=[])
    ingest_all(app, sandbox)
    review_due(app)
    over = stored_status(app)
    with app.app_context():
        apply.ingest(parse_event(sns_notification("entitlement-updated", customer=purchase.customer_identifier)))

    statuses = [stored_status(app), review_later(app)]
    act(sandbox, purchase, "change_entitlements", entitlements=[{"dimension": "seats", "value": 40}])

    assert (over, statuses, review_later(app)) == ("ended", ["ended", "ended"], "active")


def test_product_paid_by_use_has_no_entitlements_read(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    environment.setenv("PRODUCT_PRICING", "subscription")
    sandbox.marketplace.faults = Faults(aws_down=True)
    with factories.open_app(create_app()) as app:
        land(app, buy(sandbox))

        assert review_due(app) == [True, None]
        [subscription] = all_rows(app, Subscription)

    assert (subscription.entitlements, subscription.entitlements_read_at, subscription.review_at) == (None, None, None)


def test_failed_read_keeps_entitlements_and_is_retried(
    app: Flask, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    purchase = act(sandbox, buy(sandbox), "confirm")
    land(app, purchase)
    review_due(app)
    sandbox.marketplace.faults = Faults(access_denied=True)
    land(app, purchase)

    assert review_due(app) == [False, None]

    [subscription] = all_rows(app, Subscription)
    assert stored_values(app) == {"seats": 25, "tier": "standard"}
    assert subscription.review_failures == 1
    assert '"fault": "PermissionDenied", "code": "AccessDeniedException", "event": "entitlements.read_failed"' in (
        capsys.readouterr().err
    )
    sandbox.marketplace.faults = Faults()
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=review.MAX_BACKOFF_SECONDS), tick=False):
        assert review_due(app)[0] is True
    assert [subscription.review_failures for subscription in all_rows(app, Subscription)] == [0]
