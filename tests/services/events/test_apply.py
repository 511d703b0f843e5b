"""Events: kept whole, applied once, joined with the right subscription whichever came first, or left to a person."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.models import EarlierKey, Event, Registration, Subscription
from app.services.events import apply, review
from app.services.events.apply import EventResult
from app.services.purchases import subscriptions
from app.services.signup import registrations
from tests.support import factories
from tests.support.aws_events import (
    ACCOUNT_ID,
    AGREEMENT_ID,
    CUSTOMER_IDENTIFIER,
    LICENSE_ID,
    NOON,
    eventbridge_event,
    minutes_after_noon,
    parse_event,
    sns_notification,
)
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.stored_rows import all_rows

CREATED, ENDED = "Purchase Agreement Created - Proposer", "Purchase Agreement Ended - Proposer"
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
ARN = f"arn:aws:license-manager::294406891311:license:{LICENSE_ID}"


def tell(app: Flask, *bodies: dict[str, Any]) -> list[EventResult | None]:
    """Let the notifications arrive in this order."""
    with app.app_context():
        return [apply.ingest(parse_event(body)) for body in bodies]


def land(app: Flask, **names: Any) -> UUID:
    """Let a buyer arrive, and the worker see to it."""
    with app.app_context():
        subscription_id = subscriptions.upsert_from_landing(factories.landing(**names))
        while review.process_next() is not None:
            pass
    return subscription_id


def sign_up(app: Flask, company: str, **names: Any) -> None:
    """Let a buyer send the form."""
    with app.app_context():
        registrations.complete(factories.resolved(**names), factories.answers(company=company))


def the_subscription(app: Flask) -> Subscription:
    [subscription] = all_rows(app, Subscription)
    return subscription


def test_an_event_before_the_buyer_makes_the_subscription_and_the_landing_finds_it(app: Flask) -> None:
    tell(app, eventbridge_event(UPDATED))
    known = the_subscription(app)

    landed = land(app)

    assert (known.status, known.status_since, known.last_seen_at) == ("active", NOON, None)
    assert (known.purchase_key, known.product_code, known.customer_aws_account_id) == (
        LICENSE_ID,
        PRODUCT_CODE,
        ACCOUNT_ID,
    )
    now = the_subscription(app)
    assert (now.id, now.status) == (landed, "active") == (known.id, known.status)
    assert now.license_arn == ARN
    assert now.last_seen_at


def test_an_event_after_the_buyer_activates_what_they_landed_with_however_it_spells_the_license(app: Flask) -> None:
    landed = land(app)

    [applied] = tell(app, eventbridge_event(UPDATED))

    assert applied
    assert (applied.outcome, applied.changes[0].status) == ("applied", "active")
    now = the_subscription(app)
    assert (now.id, now.status, now.license_arn) == (landed, "active", ARN)


def test_a_second_delivery_is_success_and_changes_nothing(app: Flask) -> None:
    body = eventbridge_event(UPDATED)

    first, second = tell(app, body, body)

    assert first
    assert second is None
    assert len(all_rows(app, Event)) == 1


def test_an_event_is_kept_whole_with_what_it_did(app: Flask) -> None:
    body = sns_notification("subscribe-success", minutes_after_noon(3), trial="true")

    tell(app, body)

    [event] = all_rows(app, Event)
    assert (event.aws_id, event.body) == (body["MessageId"], body)
    assert (event.channel, event.kind, event.happened_at) == ("sns", "subscribe-success", minutes_after_noon(3))
    assert (event.outcome, event.status_after, event.subscription_id) == ("applied", "active", the_subscription(app).id)
    assert the_subscription(app).free_trial is True


def test_an_agreements_event_waits_for_whoever_tells_whose_it_is(app: Flask) -> None:
    [waiting] = tell(app, eventbridge_event(ENDED, minutes_after_noon(5), status="CANCELLED"))
    [applied] = tell(app, eventbridge_event(UPDATED, minutes_after_noon(1)))

    assert waiting
    assert (waiting.outcome, waiting.changes) == ("waiting", [])
    assert applied
    assert [change.status for change in applied.changes] == ["active", "ending"]
    assert (the_subscription(app).status, the_subscription(app).status_since) == ("ending", minutes_after_noon(5))
    assert {event.outcome for event in all_rows(app, Event)} == {"applied"}


def test_an_agreements_event_waits_for_the_buyer_to_land(app: Flask) -> None:
    tell(app, eventbridge_event(ENDED, minutes_after_noon(5), status="CANCELLED"))

    land(app)

    assert (the_subscription(app).status, the_subscription(app).status_since) == ("failed", minutes_after_noon(5))


def test_an_event_of_a_product_that_is_not_ours_is_kept_and_does_nothing_until_it_is(
    app: Flask, environment: pytest.MonkeyPatch
) -> None:
    [applied] = tell(app, eventbridge_event(UPDATED, code="somebodyelses"))

    assert applied
    assert applied.outcome == "not_ours"
    assert all_rows(app, Subscription) == []
    [event] = all_rows(app, Event)
    app.extensions["products"]["somebodyelses"] = app.extensions["products"][PRODUCT_CODE]
    with app.app_context():
        replayed = apply.replay(event.id)
    assert replayed
    assert replayed.outcome == "applied"
    assert the_subscription(app).product_code == "somebodyelses"


def test_an_event_that_may_be_about_several_does_nothing_and_is_left_to_a_person(app: Flask) -> None:
    first = land(app, license_arn="l-1", customer_identifier=CUSTOMER_IDENTIFIER, agreement_id="agmt-1")
    second = land(app, license_arn="l-2", customer_identifier=CUSTOMER_IDENTIFIER, agreement_id="agmt-2")

    [applied] = tell(app, sns_notification("unsubscribe-success"))

    assert applied
    assert (applied.outcome, applied.changes) == ("ambiguous", [])
    assert {row.id: row.status for row in all_rows(app, Subscription)} == {first: "pending", second: "pending"}
    with app.app_context():
        decided = apply.replay(applied.event_id, second)
    assert decided
    assert decided.outcome == "applied"
    assert {row.id: row.status for row in all_rows(app, Subscription)} == {first: "pending", second: "ended"}


def test_a_person_may_decide_again_and_what_was_decided_stands_until_then(app: Flask) -> None:
    first = land(app, license_arn="l-1", customer_identifier=CUSTOMER_IDENTIFIER, agreement_id="agmt-1")
    second = land(app, license_arn="l-2", customer_identifier=CUSTOMER_IDENTIFIER, agreement_id="agmt-2")
    [applied] = tell(app, sns_notification("unsubscribe-success"))
    assert applied

    with app.app_context():
        apply.replay(applied.event_id, first)
        apply.replay(applied.event_id)
        stands = {row.id: row.status for row in all_rows(app, Subscription)}
        apply.replay(applied.event_id, second)

    assert stands == {first: "ended", second: "pending"}
    assert {row.id: row.status for row in all_rows(app, Subscription)} == {first: "pending", second: "ended"}
    assert [(event.outcome, event.subscription_id) for event in all_rows(app, Event)] == [("applied", second)]


def other_accounts(app: Flask) -> None:
    """Let two accounts have a license each, and a registration."""
    tell(
        app,
        eventbridge_event(UPDATED, license="l-a", agreement="agmt-a", account="111111111111"),
        eventbridge_event(UPDATED, license="l-b", agreement="agmt-b", account="222222222222"),
    )


def test_nothing_of_two_customers_is_ever_put_together(app: Flask) -> None:
    other_accounts(app)

    renewal = eventbridge_event(
        CREATED, minutes_after_noon(1), agreement="agmt-b", previous="agmt-a", account="222222222222"
    )
    [applied] = tell(app, renewal)
    tell(
        app,
        eventbridge_event(
            DEPROVISIONED, minutes_after_noon(2), license="l-a", agreement="agmt-a", account="111111111111"
        ),
    )

    assert applied
    assert applied.outcome == "ambiguous"
    assert {row.purchase_key: row.status for row in all_rows(app, Subscription)} == {"l-a": "ended", "l-b": "active"}


def test_a_person_who_decides_wrongly_puts_nothing_of_two_customers_together(app: Flask) -> None:
    other_accounts(app)
    amended = eventbridge_event("Purchase Agreement Amended - Proposer", agreement="agmt-a", account="111111111111")
    [applied] = tell(app, amended)
    wrong = next(row.id for row in all_rows(app, Subscription) if row.purchase_key == "l-b")
    assert applied

    with app.app_context(), pytest.raises(apply.PartyMismatch):
        apply.replay(applied.event_id, wrong)
    tell(
        app,
        eventbridge_event(UPDATED, minutes_after_noon(1), license="l-a", agreement="agmt-a", account="111111111111"),
    )

    assert sorted(row.purchase_key for row in all_rows(app, Subscription)) == ["l-a", "l-b"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_a_license_of_another_product_is_another_subscription(app: Flask, order: tuple[int, ...]) -> None:
    app.extensions["products"][OTHER_PRODUCT_CODE] = app.extensions["products"][PRODUCT_CODE]
    told = [
        eventbridge_event(UPDATED, minutes_after_noon(0), license="l-a", agreement="agmt-a"),
        eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous="agmt-a"),
        eventbridge_event(UPDATED, minutes_after_noon(2), license="l-b", agreement="agmt-b", code=OTHER_PRODUCT_CODE),
    ]

    tell(app, *(told[place] for place in order))

    found = {(row.purchase_key, row.product_code, row.status) for row in all_rows(app, Subscription)}
    assert found == {("l-a", PRODUCT_CODE, "active"), ("l-b", OTHER_PRODUCT_CODE, "active")}


@pytest.mark.parametrize("first", ["sns", "eventbridge"])
def test_an_old_listing_with_licenses_tells_of_one_purchase_on_both_channels(app: Flask, first: str) -> None:
    told = {
        "sns": sns_notification("subscribe-fail", minutes_after_noon(0)),
        "eventbridge": eventbridge_event(UPDATED, minutes_after_noon(1)),
    }
    tell(app, told.pop(first), *told.values())

    land(app, customer_identifier=CUSTOMER_IDENTIFIER)
    tell(app, sns_notification("unsubscribe-success", minutes_after_noon(2)))

    assert (the_subscription(app).status, the_subscription(app).purchase_key) == ("ended", LICENSE_ID)


def test_an_agreement_with_a_landing_without_license_and_two_licenses_ends_each_by_its_own(app: Flask) -> None:
    tell(app, eventbridge_event(UPDATED, license="l-1"), eventbridge_event(UPDATED, license="l-2"))
    land(app, license_arn=None)

    tell(app, eventbridge_event(DEPROVISIONED, minutes_after_noon(1), license="l-1"))

    statuses = {row.purchase_key: row.status for row in all_rows(app, Subscription)}
    assert (statuses["l-1"], statuses["l-2"]) == ("ended", "active")


def test_whoever_buys_again_and_lands_without_a_license_is_not_taken_for_what_has_ended(app: Flask) -> None:
    tell(
        app,
        eventbridge_event(UPDATED, license="l-1"),
        eventbridge_event(DEPROVISIONED, minutes_after_noon(1), license="l-1"),
    )

    land(app, license_arn=None, agreement_id=None)

    assert sorted(row.status for row in all_rows(app, Subscription)) == ["ended", "pending"]


def test_many_events_that_wait_for_one_agreement_are_applied_at_once(app: Flask) -> None:
    amended = "Purchase Agreement Amended - Proposer"
    tell(
        app,
        *(eventbridge_event(amended, minutes_after_noon(minute)) for minute in range(60)),
        eventbridge_event(ENDED, minutes_after_noon(61)),
    )

    [applied] = tell(app, eventbridge_event(UPDATED))

    assert applied
    assert [change.status for change in applied.changes] == ["active", "ending"]
    assert {event.subscription_id for event in all_rows(app, Event)} == {the_subscription(app).id}


def test_an_event_is_not_given_to_a_subscription_that_does_not_exist(app: Flask) -> None:
    [applied] = tell(app, sns_notification("subscribe-success"))
    assert applied

    with app.app_context():
        assert apply.replay(applied.event_id, UUID(int=7)) is None

    assert the_subscription(app).status == "active"


@pytest.mark.parametrize("last", [0, 1, 2, 3])
def test_a_license_that_lasts_through_a_renewal_and_is_then_replaced_is_never_taken_back(app: Flask, last: int) -> None:
    told = [
        eventbridge_event(UPDATED, minutes_after_noon(0), agreement="agmt-a", license="l-1"),
        eventbridge_event(UPDATED, minutes_after_noon(2), agreement="agmt-b", license="l-1"),
        eventbridge_event(CREATED, minutes_after_noon(3), agreement="agmt-c", previous="agmt-b"),
        eventbridge_event(UPDATED, minutes_after_noon(4), agreement="agmt-c", license="l-2"),
    ]

    tell(app, *told[:last], *told[last + 1 :], told[last])

    assert (the_subscription(app).purchase_key, the_subscription(app).agreement_id) == ("l-2", "agmt-c")


def test_a_license_that_only_a_landing_told_of_keeps_its_own_agreement(app: Flask) -> None:
    tell(app, eventbridge_event(UPDATED, minutes_after_noon(0), agreement="agmt-a", license="l-1"))
    tell(app, eventbridge_event(UPDATED, minutes_after_noon(1), agreement="agmt-b", license="l-1"))
    land(app, license_arn="arn:aws:license-manager::294406891311:license:l-2", agreement_id="agmt-c")
    renewals = {"agmt-c": "agmt-b", "agmt-b": "agmt-a"}

    told = tell(
        app,
        *(
            eventbridge_event(CREATED, minutes_after_noon(2), agreement=new, previous=old)
            for new, old in renewals.items()
        ),
    )

    assert [applied and applied.outcome for applied in told] == ["noted", "noted"]
    assert (the_subscription(app).purchase_key, the_subscription(app).agreement_id) == ("l-2", "agmt-c")


def test_an_agreement_about_two_licenses_ends_neither(app: Flask) -> None:
    tell(
        app,
        eventbridge_event(UPDATED, minutes_after_noon(0), license="l-1"),
        eventbridge_event(UPDATED, minutes_after_noon(0), license="l-2"),
    )

    [applied] = tell(app, eventbridge_event(ENDED, minutes_after_noon(1), status="CANCELLED"))

    assert applied
    assert applied.outcome == "ambiguous"
    assert {row.status for row in all_rows(app, Subscription)} == {"active"}


def test_an_event_that_names_nobody_is_left_to_a_person(app: Flask) -> None:
    [applied] = tell(app, sns_notification("subscribe-success", customer=None))

    assert applied
    assert applied.outcome == "ambiguous"
    assert all_rows(app, Subscription) == []


def test_a_kind_of_event_that_nobody_foresaw_is_kept(app: Flask) -> None:
    land(app)

    [applied] = tell(app, eventbridge_event("Purchase Agreement Ending - Manufacturer"))

    assert applied
    assert applied.outcome == "noted"
    assert the_subscription(app).status == "pending"


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_renewal_with_another_license_stays_the_subscription_in_whatever_order_it_is_told(
    app: Flask, order: tuple[int, ...]
) -> None:
    told = [
        eventbridge_event(UPDATED, minutes_after_noon(0)),
        eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID),
        eventbridge_event(UPDATED, minutes_after_noon(2), agreement="agmt-b", license="l-b"),
    ]
    sign_up(app, "Before")

    tell(app, *(told[place] for place in order))
    tell(
        app,
        eventbridge_event(ENDED, minutes_after_noon(3), status="EXPIRED"),
        eventbridge_event(DEPROVISIONED, minutes_after_noon(4)),
    )

    now = the_subscription(app)
    assert (now.status, now.status_since) == ("active", minutes_after_noon(0))
    assert (now.purchase_key, now.agreement_id) == ("l-b", "agmt-b")
    assert [key.purchase_key for key in all_rows(app, EarlierKey)] == [LICENSE_ID]
    assert [registration.subscription_id for registration in all_rows(app, Registration)] == [now.id]


def test_whoever_lands_with_the_license_before_a_renewal_comes_to_the_renewed_subscription(app: Flask) -> None:
    tell(
        app,
        eventbridge_event(UPDATED, minutes_after_noon(0)),
        eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID),
        eventbridge_event(UPDATED, minutes_after_noon(2), agreement="agmt-b", license="l-b"),
    )

    landed = land(app, license_arn=ARN)

    now = the_subscription(app)
    assert (now.id, now.purchase_key, now.agreement_id) == (landed, "l-b", "agmt-b")
    assert str(now.license_arn).endswith("l-b")


def test_two_subscriptions_that_turn_out_to_be_one_keep_the_latest_answers(app: Flask) -> None:
    sign_up(app, "Before")
    sign_up(app, "After", license_arn="arn:aws:license-manager::294406891311:license:l-b", agreement_id="agmt-b")

    tell(app, eventbridge_event(CREATED, agreement="agmt-b", previous=AGREEMENT_ID))

    [registration] = all_rows(app, Registration)
    assert (registration.company, registration.subscription_id) == ("After", the_subscription(app).id)
    assert the_subscription(app).purchase_key == "l-b"


@pytest.mark.parametrize("agreement_id", [AGREEMENT_ID, None])
@pytest.mark.parametrize("first", ["landing", "event"])
def test_a_landing_without_a_license_is_joined_with_the_license_that_events_tell_of(
    app: Flask, agreement_id: str | None, first: str
) -> None:
    if first == "landing":
        land(app, license_arn=None, agreement_id=agreement_id)

    tell(app, eventbridge_event(UPDATED))
    land(app, license_arn=None, agreement_id=agreement_id)

    now = the_subscription(app)
    assert (now.purchase_key, now.status, now.agreement_id) == (LICENSE_ID, "active", AGREEMENT_ID)


def test_a_second_agreement_of_the_same_account_is_another_subscription(app: Flask) -> None:
    tell(
        app,
        eventbridge_event(UPDATED, license="l-1", agreement="agmt-1"),
        eventbridge_event(UPDATED, license="l-2", agreement="agmt-2"),
    )
    tell(app, eventbridge_event(DEPROVISIONED, minutes_after_noon(1), license="l-1", agreement="agmt-1"))

    assert {row.purchase_key: row.status for row in all_rows(app, Subscription)} == {"l-1": "ended", "l-2": "active"}


def test_a_payment_that_fails_after_the_landing_is_known(app: Flask) -> None:
    land(app, license_arn=None, agreement_id=None, customer_identifier=CUSTOMER_IDENTIFIER)

    tell(app, sns_notification("subscribe-fail"))

    assert the_subscription(app).status == "failed"


def test_an_old_listings_customer_who_comes_back_is_active_again(app: Flask) -> None:
    land(app, license_arn=None, agreement_id=None, customer_identifier=CUSTOMER_IDENTIFIER)

    tell(
        app,
        sns_notification("subscribe-success", minutes_after_noon(2)),
        sns_notification("unsubscribe-success", minutes_after_noon(1)),
        sns_notification("subscribe-success", minutes_after_noon(0)),
    )
    land(app, license_arn=None, agreement_id=None, customer_identifier=CUSTOMER_IDENTIFIER)

    assert (the_subscription(app).status, the_subscription(app).status_since) == ("active", minutes_after_noon(2))


def test_an_old_listing_that_gains_licenses_goes_on_hearing_of_its_customers_by_sns(app: Flask) -> None:
    tell(app, sns_notification("subscribe-success", minutes_after_noon(0)))
    land(app, customer_identifier=CUSTOMER_IDENTIFIER)

    tell(app, sns_notification("unsubscribe-success", minutes_after_noon(1)))

    assert (the_subscription(app).status, the_subscription(app).purchase_key) == ("ended", LICENSE_ID)


def test_there_is_nothing_to_replay_of_an_event_that_nobody_has(app: Flask) -> None:
    with app.app_context():
        assert apply.replay(UUID(int=7)) is None


def test_a_replay_of_what_was_applied_changes_nothing(app: Flask) -> None:
    [applied] = tell(app, eventbridge_event(UPDATED))
    before = the_subscription(app)

    with app.app_context():
        replayed = apply.replay(applied.event_id if applied else UUID(int=0))

    assert replayed
    assert (replayed.outcome, replayed.changes) == ("noted", [])
    assert (the_subscription(app).status, the_subscription(app).status_since) == (before.status, before.status_since)
    assert [(event.outcome, event.status_after) for event in all_rows(app, Event)] == [("applied", "active")]
