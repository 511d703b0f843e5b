"""Matching: which subscription an event or a landing is about, and what is left ambiguous."""

import pytest
from flask import Flask

from app.models import Subscription
from tests.support.aws_events import AGREEMENT_ID, LICENSE_ID, eventbridge_event, minutes_after_noon, sns_notification
from tests.support.event_histories import (
    CREATED,
    DEPROVISIONED,
    ENDED,
    UPDATED,
    ingest,
    ingest_licenses_of_two_accounts,
    land,
    only_subscription,
)
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.stored_rows import all_rows


def test_worked_example_of_the_module_comes_true(app: Flask) -> None:
    first_id = land(app, license_arn=None, agreement_id=None)
    ingest(app, eventbridge_event(UPDATED, minutes_after_noon(0), license="l-1", agreement="A0"))
    assert (only_subscription(app).id, only_subscription(app).purchase_key) == (first_id, "l-1")

    [waiting, license_, renewal] = ingest(
        app,
        eventbridge_event(ENDED, minutes_after_noon(3), agreement="A1"),
        eventbridge_event(UPDATED, minutes_after_noon(2), license="l-2", agreement="A1"),
        eventbridge_event(CREATED, minutes_after_noon(1), agreement="A1", previous="A0"),
    )

    assert waiting
    assert waiting.outcome == "waiting"
    assert license_
    assert [change.status for change in license_.changes] == ["active", "ending"]
    assert license_.changes[0].subscription_id != first_id
    assert renewal
    subscription = only_subscription(app)
    assert (subscription.id, subscription.purchase_key, subscription.agreement_id) == (first_id, "l-2", "A1")
    assert land(app, license_arn="arn:aws:license-manager::294406891311:license:l-1", agreement_id="A0") == first_id
    assert only_subscription(app).purchase_key == "l-2"


def test_renewal_never_merges_two_accounts(app: Flask) -> None:
    ingest_licenses_of_two_accounts(app)

    renewal = eventbridge_event(
        CREATED, minutes_after_noon(1), agreement="agmt-b", previous="agmt-a", account="222222222222"
    )
    [result] = ingest(app, renewal)
    ingest(
        app,
        eventbridge_event(
            DEPROVISIONED, minutes_after_noon(2), license="l-a", agreement="agmt-a", account="111111111111"
        ),
    )

    assert result
    assert result.outcome == "ambiguous"
    assert {row.purchase_key: row.status for row in all_rows(app, Subscription)} == {"l-a": "ended", "l-b": "active"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_license_of_another_product_is_another_subscription(app: Flask, order: tuple[int, ...]) -> None:
    app.extensions["products"][OTHER_PRODUCT_CODE] = app.extensions["products"][PRODUCT_CODE]
    events = [
        eventbridge_event(UPDATED, minutes_after_noon(0), license="l-a", agreement="agmt-a"),
        eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous="agmt-a"),
        eventbridge_event(UPDATED, minutes_after_noon(2), license="l-b", agreement="agmt-b", code=OTHER_PRODUCT_CODE),
    ]

    ingest(app, *(events[place] for place in order))

    rows = {(row.purchase_key, row.product_code, row.status) for row in all_rows(app, Subscription)}
    assert rows == {("l-a", PRODUCT_CODE, "active"), ("l-b", OTHER_PRODUCT_CODE, "active")}


def test_two_licenses_end_apart_beside_a_landing_without_license(app: Flask) -> None:
    ingest(app, eventbridge_event(UPDATED, license="l-1"), eventbridge_event(UPDATED, license="l-2"))
    land(app, license_arn=None)

    ingest(app, eventbridge_event(DEPROVISIONED, minutes_after_noon(1), license="l-1"))

    statuses = {row.purchase_key: row.status for row in all_rows(app, Subscription)}
    assert (statuses["l-1"], statuses["l-2"]) == ("ended", "active")


def test_landing_without_license_does_not_match_an_ended_purchase(app: Flask) -> None:
    ingest(
        app,
        eventbridge_event(UPDATED, license="l-1"),
        eventbridge_event(DEPROVISIONED, minutes_after_noon(1), license="l-1"),
    )

    land(app, license_arn=None, agreement_id=None)

    assert sorted(row.status for row in all_rows(app, Subscription)) == ["ended", "pending"]


def test_end_of_an_agreement_with_two_licenses_is_ambiguous(app: Flask) -> None:
    ingest(
        app,
        eventbridge_event(UPDATED, minutes_after_noon(0), license="l-1"),
        eventbridge_event(UPDATED, minutes_after_noon(0), license="l-2"),
    )

    [result] = ingest(app, eventbridge_event(ENDED, minutes_after_noon(1), status="CANCELLED"))

    assert result
    assert result.outcome == "ambiguous"
    assert {row.status for row in all_rows(app, Subscription)} == {"active"}


def test_event_without_customer_is_ambiguous(app: Flask) -> None:
    [result] = ingest(app, sns_notification("subscribe-success", customer=None))

    assert result
    assert result.outcome == "ambiguous"
    assert all_rows(app, Subscription) == []


@pytest.mark.parametrize("agreement_id", [AGREEMENT_ID, None])
@pytest.mark.parametrize("first", ["landing", "event"])
def test_landing_without_license_gets_the_license_of_its_events(
    app: Flask, agreement_id: str | None, first: str
) -> None:
    if first == "landing":
        land(app, license_arn=None, agreement_id=agreement_id)

    ingest(app, eventbridge_event(UPDATED))
    land(app, license_arn=None, agreement_id=agreement_id)

    subscription = only_subscription(app)
    assert (subscription.purchase_key, subscription.status, subscription.agreement_id) == (
        LICENSE_ID,
        "active",
        AGREEMENT_ID,
    )


def test_second_agreement_of_an_account_is_another_subscription(app: Flask) -> None:
    ingest(
        app,
        eventbridge_event(UPDATED, license="l-1", agreement="agmt-1"),
        eventbridge_event(UPDATED, license="l-2", agreement="agmt-2"),
    )
    ingest(app, eventbridge_event(DEPROVISIONED, minutes_after_noon(1), license="l-1", agreement="agmt-1"))

    assert {row.purchase_key: row.status for row in all_rows(app, Subscription)} == {"l-1": "ended", "l-2": "active"}
