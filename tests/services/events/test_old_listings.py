"""Old listings: events on SNS name a customer, and licenses may come later."""

import pytest
from flask import Flask

from app.models import EarlierKey, Subscription
from app.services.purchases import subscriptions
from tests.support import factories
from tests.support.aws_events import (
    CUSTOMER_IDENTIFIER,
    LICENSE_ID,
    eventbridge_event,
    minutes_after_noon,
    sns_notification,
)
from tests.support.event_histories import CREATED, UPDATED, ingest, land, only_subscription
from tests.support.stored_rows import all_rows


@pytest.mark.parametrize("first", ["sns", "eventbridge"])
def test_both_channels_of_an_old_listing_match_one_subscription(app: Flask, first: str) -> None:
    events = {
        "sns": sns_notification("subscribe-fail", minutes_after_noon(0)),
        "eventbridge": eventbridge_event(UPDATED, minutes_after_noon(1)),
    }
    ingest(app, events.pop(first), *events.values())

    land(app, customer_identifier=CUSTOMER_IDENTIFIER)
    ingest(app, sns_notification("unsubscribe-success", minutes_after_noon(2)))

    assert (only_subscription(app).status, only_subscription(app).purchase_key) == ("ended", LICENSE_ID)


def test_failed_payment_after_landing_fails_the_subscription(app: Flask) -> None:
    land(app, license_arn=None, agreement_id=None, customer_identifier=CUSTOMER_IDENTIFIER)

    ingest(app, sns_notification("subscribe-fail"))

    assert only_subscription(app).status == "failed"


def test_returning_customer_of_an_old_listing_is_active_again(app: Flask) -> None:
    land(app, license_arn=None, agreement_id=None, customer_identifier=CUSTOMER_IDENTIFIER)

    ingest(
        app,
        sns_notification("subscribe-success", minutes_after_noon(2)),
        sns_notification("unsubscribe-success", minutes_after_noon(1)),
        sns_notification("subscribe-success", minutes_after_noon(0)),
    )
    land(app, license_arn=None, agreement_id=None, customer_identifier=CUSTOMER_IDENTIFIER)

    assert (only_subscription(app).status, only_subscription(app).status_since) == ("active", minutes_after_noon(2))


def test_old_listing_with_new_licenses_still_ends_by_sns(app: Flask) -> None:
    ingest(app, sns_notification("subscribe-success", minutes_after_noon(0)))
    land(app, customer_identifier=CUSTOMER_IDENTIFIER)

    ingest(app, sns_notification("unsubscribe-success", minutes_after_noon(1)))

    assert (only_subscription(app).status, only_subscription(app).purchase_key) == ("ended", LICENSE_ID)


def test_earlier_license_is_no_old_subscriptions_license(app: Flask) -> None:
    ingest(
        app,
        sns_notification("subscribe-success", minutes_after_noon(0)),
        eventbridge_event(UPDATED, minutes_after_noon(0), agreement="agmt-a", license="l-1"),
        eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous="agmt-a"),
        eventbridge_event(UPDATED, minutes_after_noon(2), agreement="agmt-b", license="l-2"),
    )
    landing = {"license_arn": "l-1", "agreement_id": "agmt-a", "customer_identifier": CUSTOMER_IDENTIFIER}

    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(**landing))

    earlier_keys = {row.purchase_key for row in all_rows(app, EarlierKey)}
    assert "l-1" in earlier_keys
    assert earlier_keys.isdisjoint(row.purchase_key for row in all_rows(app, Subscription))
    land(app, **landing)
    assert only_subscription(app).purchase_key == "l-2"
