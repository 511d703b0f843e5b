"""Replaying: a person applies a stored event again, or chooses the subscription that it is about."""

from uuid import UUID

import pytest
from flask import Flask

from app.models import Event, Subscription
from app.services.events import apply
from tests.support.aws_events import CUSTOMER_IDENTIFIER, eventbridge_event, minutes_after_noon, sns_notification
from tests.support.event_histories import (
    AMENDED,
    UPDATED,
    ingest,
    ingest_licenses_of_two_accounts,
    land,
    only_subscription,
)
from tests.support.factories import PRODUCT_CODE
from tests.support.stored_rows import all_rows


def test_event_of_unknown_product_waits_until_it_is_configured(app: Flask, environment: pytest.MonkeyPatch) -> None:
    [result] = ingest(app, eventbridge_event(UPDATED, code="somebodyelses"))

    assert result
    assert result.outcome == "not_ours"
    assert all_rows(app, Subscription) == []
    [event] = all_rows(app, Event)
    app.extensions["products"]["somebodyelses"] = app.extensions["products"][PRODUCT_CODE]
    with app.app_context():
        replayed = apply.replay(event.id)
    assert replayed
    assert replayed.outcome == "applied"
    assert only_subscription(app).product_code == "somebodyelses"


def test_ambiguous_event_changes_nothing_until_a_person_decides(app: Flask) -> None:
    first = land(app, license_arn="l-1", customer_identifier=CUSTOMER_IDENTIFIER, agreement_id="agmt-1")
    second = land(app, license_arn="l-2", customer_identifier=CUSTOMER_IDENTIFIER, agreement_id="agmt-2")

    [result] = ingest(app, sns_notification("unsubscribe-success"))

    assert result
    assert (result.outcome, result.changes) == ("ambiguous", [])
    assert {row.id: row.status for row in all_rows(app, Subscription)} == {first: "pending", second: "pending"}
    with app.app_context():
        decided = apply.replay(result.event_id, second)
    assert decided
    assert decided.outcome == "applied"
    assert {row.id: row.status for row in all_rows(app, Subscription)} == {first: "pending", second: "ended"}


def test_replay_stands_until_a_person_decides_again(app: Flask) -> None:
    first = land(app, license_arn="l-1", customer_identifier=CUSTOMER_IDENTIFIER, agreement_id="agmt-1")
    second = land(app, license_arn="l-2", customer_identifier=CUSTOMER_IDENTIFIER, agreement_id="agmt-2")
    [result] = ingest(app, sns_notification("unsubscribe-success"))
    assert result

    with app.app_context():
        apply.replay(result.event_id, first)
        apply.replay(result.event_id)
        stands = {row.id: row.status for row in all_rows(app, Subscription)}
        apply.replay(result.event_id, second)

    assert stands == {first: "ended", second: "pending"}
    assert {row.id: row.status for row in all_rows(app, Subscription)} == {first: "pending", second: "ended"}
    assert [(event.outcome, event.subscription_id) for event in all_rows(app, Event)] == [("applied", second)]


def test_replay_refuses_a_subscription_of_another_account(app: Flask) -> None:
    ingest_licenses_of_two_accounts(app)
    [result] = ingest(app, eventbridge_event(AMENDED, agreement="agmt-a", account="111111111111"))
    other_id = next(row.id for row in all_rows(app, Subscription) if row.purchase_key == "l-b")
    assert result

    with app.app_context(), pytest.raises(apply.PartyMismatch):
        apply.replay(result.event_id, other_id)
    ingest(
        app,
        eventbridge_event(UPDATED, minutes_after_noon(1), license="l-a", agreement="agmt-a", account="111111111111"),
    )

    assert sorted(row.purchase_key for row in all_rows(app, Subscription)) == ["l-a", "l-b"]


def test_replay_to_an_unknown_subscription_changes_nothing(app: Flask) -> None:
    [result] = ingest(app, sns_notification("subscribe-success"))
    assert result

    with app.app_context():
        assert apply.replay(result.event_id, UUID(int=7)) is None

    assert only_subscription(app).status == "active"


def test_replay_of_an_unknown_event_returns_none(app: Flask) -> None:
    with app.app_context():
        assert apply.replay(UUID(int=7)) is None


def test_replay_of_an_applied_event_changes_nothing(app: Flask) -> None:
    [result] = ingest(app, eventbridge_event(UPDATED))
    before = only_subscription(app)

    with app.app_context():
        replayed = apply.replay(result.event_id if result else UUID(int=0))

    assert replayed
    assert (replayed.outcome, replayed.changes) == ("noted", [])
    assert (only_subscription(app).status, only_subscription(app).status_since) == (before.status, before.status_since)
    assert [(event.outcome, event.status_after) for event in all_rows(app, Event)] == [("applied", "active")]


def test_event_replayed_where_it_changes_nothing_is_noted(app: Flask) -> None:
    [result] = ingest(app, eventbridge_event(UPDATED, minutes_after_noon(1), license="l-1", agreement="agmt-1"))
    ingest(app, eventbridge_event(UPDATED, minutes_after_noon(0), license="l-2", agreement="agmt-2"))
    assert result
    other = max(all_rows(app, Subscription), key=lambda subscription: subscription.id)

    with app.app_context():
        apply.replay(result.event_id, other.id)

    [moved] = [event for event in all_rows(app, Event) if event.id == result.event_id]
    assert (moved.subscription_id, moved.outcome, moved.status_after) == (other.id, "noted", None)
