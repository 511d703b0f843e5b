"""Renewals: agreements that follow one another are one subscription, in whatever order the events come."""

import pytest
from flask import Flask

from app.models import EarlierKey, Registration
from tests.support.aws_events import AGREEMENT_ID, LICENSE_ID, eventbridge_event, minutes_after_noon
from tests.support.event_histories import (
    CREATED,
    DEPROVISIONED,
    ENDED,
    LICENSE_ARN,
    UPDATED,
    ingest,
    land,
    only_subscription,
    sign_up,
)
from tests.support.stored_rows import all_rows


@pytest.mark.parametrize("last", [0, 1, 2, 3])
def test_replaced_license_never_comes_back_in_any_order(app: Flask, last: int) -> None:
    events = [
        eventbridge_event(UPDATED, minutes_after_noon(0), agreement="agmt-a", license="l-1"),
        eventbridge_event(UPDATED, minutes_after_noon(2), agreement="agmt-b", license="l-1"),
        eventbridge_event(CREATED, minutes_after_noon(3), agreement="agmt-c", previous="agmt-b"),
        eventbridge_event(UPDATED, minutes_after_noon(4), agreement="agmt-c", license="l-2"),
    ]

    ingest(app, *events[:last], *events[last + 1 :], events[last])

    assert (only_subscription(app).purchase_key, only_subscription(app).agreement_id) == ("l-2", "agmt-c")


def test_license_known_from_a_landing_keeps_its_agreement(app: Flask) -> None:
    ingest(app, eventbridge_event(UPDATED, minutes_after_noon(0), agreement="agmt-a", license="l-1"))
    ingest(app, eventbridge_event(UPDATED, minutes_after_noon(1), agreement="agmt-b", license="l-1"))
    land(app, license_arn="arn:aws:license-manager::294406891311:license:l-2", agreement_id="agmt-c")
    renewals = {"agmt-c": "agmt-b", "agmt-b": "agmt-a"}

    results = ingest(
        app,
        *(
            eventbridge_event(CREATED, minutes_after_noon(2), agreement=new, previous=old)
            for new, old in renewals.items()
        ),
    )

    assert [result and result.outcome for result in results] == ["noted", "noted"]
    assert (only_subscription(app).purchase_key, only_subscription(app).agreement_id) == ("l-2", "agmt-c")


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_renewal_with_new_license_keeps_the_subscription_in_any_order(app: Flask, order: tuple[int, ...]) -> None:
    events = [
        eventbridge_event(UPDATED, minutes_after_noon(0)),
        eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID),
        eventbridge_event(UPDATED, minutes_after_noon(2), agreement="agmt-b", license="l-b"),
    ]
    sign_up(app, "Before")

    ingest(app, *(events[place] for place in order))
    ingest(
        app,
        eventbridge_event(ENDED, minutes_after_noon(3), status="EXPIRED"),
        eventbridge_event(DEPROVISIONED, minutes_after_noon(4)),
    )

    subscription = only_subscription(app)
    assert (subscription.status, subscription.status_since) == ("active", minutes_after_noon(0))
    assert (subscription.purchase_key, subscription.agreement_id) == ("l-b", "agmt-b")
    assert [key.purchase_key for key in all_rows(app, EarlierKey)] == [LICENSE_ID]
    assert [registration.subscription_id for registration in all_rows(app, Registration)] == [subscription.id]


def test_landing_with_an_earlier_license_finds_the_renewed_purchase(app: Flask) -> None:
    ingest(
        app,
        eventbridge_event(UPDATED, minutes_after_noon(0)),
        eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID),
        eventbridge_event(UPDATED, minutes_after_noon(2), agreement="agmt-b", license="l-b"),
    )

    landed_id = land(app, license_arn=LICENSE_ARN)

    subscription = only_subscription(app)
    assert (subscription.id, subscription.purchase_key, subscription.agreement_id) == (landed_id, "l-b", "agmt-b")
    assert str(subscription.license_arn).endswith("l-b")


def test_merged_subscriptions_keep_the_latest_answers(app: Flask) -> None:
    sign_up(app, "Before")
    sign_up(app, "After", license_arn="arn:aws:license-manager::294406891311:license:l-b", agreement_id="agmt-b")

    ingest(app, eventbridge_event(CREATED, agreement="agmt-b", previous=AGREEMENT_ID))

    [registration] = all_rows(app, Registration)
    assert (registration.company, registration.subscription_id) == ("After", only_subscription(app).id)
    assert only_subscription(app).purchase_key == "l-b"


def test_replaced_agreement_without_end_keeps_the_subscription(app: Flask) -> None:
    usage = {"starts": "2026-11-02T12:00:11.013Z", "ends": "9999-01-01T00:00:00Z"}
    subscription_id = land(app, license_arn="arn:aws:license-manager::294406891311:license:l-1", agreement_id="agmt-a")

    ingest(
        app,
        eventbridge_event(CREATED, minutes_after_noon(0), agreement="agmt-a", **usage),
        eventbridge_event(UPDATED, minutes_after_noon(1), agreement="agmt-a", license="l-1"),
        eventbridge_event(CREATED, minutes_after_noon(2), agreement="agmt-b", previous="agmt-a", **usage),
        eventbridge_event(UPDATED, minutes_after_noon(3), agreement="agmt-b", license="l-2"),
        eventbridge_event(ENDED, minutes_after_noon(4), agreement="agmt-a", status="REPLACED"),
        eventbridge_event(DEPROVISIONED, minutes_after_noon(5), agreement="agmt-a", license="l-1"),
    )

    subscription = only_subscription(app)
    assert (subscription.id, subscription.status, subscription.ends_at) == (subscription_id, "active", None)
