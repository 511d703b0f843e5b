"""Applying events: each is stored whole and applied once, whether it comes before or after the landing."""

from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import update

from app.models import Event, Subscription
from app.services.events import review
from app.services.purchases import subscriptions
from tests.support import factories
from tests.support.aws_events import (
    ACCOUNT_ID,
    LICENSE_ID,
    NOON,
    eventbridge_event,
    minutes_after_noon,
    sns_notification,
)
from tests.support.event_histories import AMENDED, ENDED, LICENSE_ARN, UPDATED, ingest, land, only_subscription
from tests.support.factories import PRODUCT_CODE
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows


def test_event_before_landing_creates_the_subscription(app: Flask) -> None:
    ingest(app, eventbridge_event(UPDATED))
    before = only_subscription(app)

    landed_id = land(app)

    assert (before.status, before.status_since, before.last_seen_at) == ("active", NOON, None)
    assert (before.purchase_key, before.product_code, before.customer_aws_account_id) == (
        LICENSE_ID,
        PRODUCT_CODE,
        ACCOUNT_ID,
    )
    subscription = only_subscription(app)
    assert (subscription.id, subscription.status) == (landed_id, "active") == (before.id, before.status)
    assert subscription.license_arn == LICENSE_ARN
    assert subscription.last_seen_at


def test_event_after_landing_matches_any_spelling_of_the_license(app: Flask) -> None:
    landed_id = land(app)

    [result] = ingest(app, eventbridge_event(UPDATED))

    assert result
    assert (result.outcome, result.changes[0].status) == ("applied", "active")
    subscription = only_subscription(app)
    assert (subscription.id, subscription.status, subscription.license_arn) == (landed_id, "active", LICENSE_ARN)


def test_second_delivery_succeeds_and_changes_nothing(app: Flask) -> None:
    body = eventbridge_event(UPDATED)

    first, second = ingest(app, body, body)

    assert first
    assert second is None
    assert len(all_rows(app, Event)) == 1


def test_event_is_stored_whole_with_its_outcome(app: Flask) -> None:
    body = sns_notification("subscribe-success", minutes_after_noon(3), trial="true")

    ingest(app, body)

    [event] = all_rows(app, Event)
    assert (event.aws_id, event.body) == (body["MessageId"], body)
    assert (event.channel, event.kind, event.happened_at) == ("sns", "subscribe-success", minutes_after_noon(3))
    assert (event.outcome, event.status_after, event.subscription_id) == (
        "applied",
        "active",
        only_subscription(app).id,
    )
    assert only_subscription(app).free_trial is True


def test_agreement_event_waits_for_its_license_event(app: Flask) -> None:
    [waiting] = ingest(app, eventbridge_event(ENDED, minutes_after_noon(5), status="CANCELLED"))
    [result] = ingest(app, eventbridge_event(UPDATED, minutes_after_noon(1)))

    assert waiting
    assert (waiting.outcome, waiting.changes) == ("waiting", [])
    assert result
    assert [change.status for change in result.changes] == ["active", "ending"]
    assert (only_subscription(app).status, only_subscription(app).status_since) == ("ending", minutes_after_noon(5))
    assert {event.outcome for event in all_rows(app, Event)} == {"applied"}


def test_agreement_event_waits_for_the_landing(app: Flask) -> None:
    ingest(app, eventbridge_event(ENDED, minutes_after_noon(5), status="CANCELLED"))

    land(app)

    assert (only_subscription(app).status, only_subscription(app).status_since) == ("failed", minutes_after_noon(5))


def test_many_waiting_events_are_applied_at_once(app: Flask) -> None:
    ingest(
        app,
        *(eventbridge_event(AMENDED, minutes_after_noon(minute)) for minute in range(60)),
        eventbridge_event(ENDED, minutes_after_noon(61)),
    )

    [result] = ingest(app, eventbridge_event(UPDATED))

    assert result
    assert [change.status for change in result.changes] == ["active", "ending"]
    assert {event.subscription_id for event in all_rows(app, Event)} == {only_subscription(app).id}


def test_event_of_unknown_kind_is_stored(app: Flask) -> None:
    land(app)

    [result] = ingest(app, eventbridge_event("Purchase Agreement Ending - Manufacturer"))

    assert result
    assert result.outcome == "noted"
    assert only_subscription(app).status == "pending"


def test_event_makes_a_review_that_waits_due_at_once(app: Flask) -> None:
    ingest(app, eventbridge_event(UPDATED))
    later = datetime.now(UTC) + timedelta(days=1)
    delayed = update(Subscription).values(review_at=later, review_failures=9)
    run_transaction(app, lambda connection: connection.execute(delayed))

    ingest(app, eventbridge_event(UPDATED, minutes_after_noon(1)))

    subscription = only_subscription(app)
    assert subscription.review_failures == 0
    assert subscription.review_at
    assert subscription.review_at < later
    with app.app_context():
        assert review.process_next() is True


def test_event_beside_a_landing_without_license_is_reviewed(app: Flask) -> None:
    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(license_arn=None, customer_aws_account_id=ACCOUNT_ID))
        while review.process_next() is not None:
            pass

    ingest(app, eventbridge_event(UPDATED))

    assert only_subscription(app).review_at
