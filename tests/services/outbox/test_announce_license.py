"""Hand-offs about a new license, which the product has to meter with: one, as soon as AWS reports it."""

from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.aws.customer import Customer
from app.models import Subscription
from app.services.events import apply, review
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Landing
from app.services.signup import erasure
from tests.support import factories
from tests.support.aws_events import (
    AGREEMENT_ID,
    LICENSE_ID,
    LICENSE_UPDATED,
    eventbridge_event,
    minutes_after_noon,
    parse_event,
)
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import (
    claim_next,
    handoff_messages,
    mail_messages,
    register_customer,
    registration_id_of,
    settle_message,
)
from tests.support.stored_rows import all_rows

CREATED = "Purchase Agreement Created - Manufacturer"
RENEWAL = [
    eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID),
    eventbridge_event(LICENSE_UPDATED, minutes_after_noon(2), agreement="agmt-b", license="l-b"),
]


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


def receive_and_review(app: Flask, *bodies: dict[str, Any]) -> None:
    with app.app_context():
        for body in bodies:
            apply.ingest(parse_event(body))
        while review.process_next() is not None:
            pass


def announced(app: Flask) -> list[tuple[str, str, str]]:
    """Return the types of the hand-offs, and the license and agreement in each."""
    subscriptions_by_type = [
        (message.type, message.payload["data"]["subscription"]) for message in handoff_messages(app)
    ]
    return [
        (type_, subscription["license_arn"].rpartition(":")[2], subscription["agreement_id"])
        for type_, subscription in subscriptions_by_type
    ]


def test_renewed_license_is_announced_once_without_mails(app: Flask) -> None:
    register_customer(app)
    receive_and_review(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)))
    before = len(mail_messages(app))

    receive_and_review(app, *RENEWAL, *RENEWAL)

    assert announced(app)[1:] == [
        ("subscription.activated", LICENSE_ID, AGREEMENT_ID),
        ("license.changed", "l-b", "agmt-b"),
    ]
    assert len(mail_messages(app)) == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_renewed_license_is_announced_in_any_order_of_events(app: Flask, order: tuple[int, int]) -> None:
    register_customer(app)
    receive_and_review(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)))

    receive_and_review(app, *(RENEWAL[index] for index in order))

    assert announced(app)[-1][1:] == ("l-b", "agmt-b")
    assert [subscription.purchase_key for subscription in all_rows(app, Subscription)] == ["l-b"]


def test_first_handoff_of_a_subscription_is_not_a_license_change(app: Flask) -> None:
    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(license_arn=None))

    receive_and_review(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)))

    assert announced(app) == [("subscription.activated", LICENSE_ID, AGREEMENT_ID)]


@pytest.mark.parametrize("is_reviewed", [True, False])
def test_first_license_of_an_old_listing_is_announced(app: Flask, is_reviewed: bool) -> None:
    old = {"customer_identifier": "X01EXAMPLEX", "license_arn": None, "agreement_id": None}
    register_customer(app, old)
    if is_reviewed:
        receive_and_review(app)

    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(customer_identifier="X01EXAMPLEX"))
    receive_and_review(app)

    last = handoff_messages(app)[-1]
    assert (last.type, last.payload["data"]["subscription"]["license_arn"]) == (
        "license.changed",
        factories.customer().license_arn,
    )
    assert len(handoff_messages(app)) == 2


def test_license_arn_in_another_format_is_not_a_change(app: Flask) -> None:
    register_customer(app, {"license_arn": f"aws:license-manager:us-east-1:123456789012:{LICENSE_ID}"})
    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing())

    receive_and_review(app)

    assert [message.type for message in handoff_messages(app)] == ["registration.completed"]


@on_sqlite
def test_review_without_handoff_url_does_not_touch_the_subscription(
    app: Flask, environment: pytest.MonkeyPatch
) -> None:
    register_customer(app)
    receive_and_review(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)), *RENEWAL[:1])
    environment.delenv("PRODUCT_HANDOFF_URL")
    with factories.open_app(create_app()) as app_without_handoffs:
        receive_and_review(app_without_handoffs, *RENEWAL[1:])
        [before] = all_rows(app_without_handoffs, Subscription)
        with app_without_handoffs.app_context():
            subscriptions.upsert_from_landing(Landing(Customer.from_row(before)))

        receive_and_review(app_without_handoffs)

        assert [subscription.changed_at for subscription in all_rows(app_without_handoffs, Subscription)] == [
            before.changed_at
        ]


@on_sqlite
def test_license_of_a_cancelled_handoff_is_announced_again(app: Flask) -> None:
    subscription_id = register_customer(app)
    receive_and_review(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)))
    while waiting := claim_next(app):
        settle_message(app, waiting)
    with app.app_context():
        for body in RENEWAL:
            apply.ingest(parse_event(body))
    renewed = {"license_arn": "arn:aws:license-manager::294406891311:license:l-b", "agreement_id": "agmt-b"}
    register_customer(app, renewed, company="Ostrava Robotics")
    receive_and_review(app)

    with app.app_context():
        erasure.erase(registration_id_of(app, subscription_id), "operator:alice")
    receive_and_review(app)

    assert [message.outcome for message in handoff_messages(app)][-2:] == ["cancelled", "waiting"]
    assert announced(app)[-1] == ("license.changed", "l-b", "agmt-b")


@on_sqlite
def test_event_announces_a_license_that_was_never_handed_off(app: Flask, environment: pytest.MonkeyPatch) -> None:
    register_customer(app)
    receive_and_review(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)))
    environment.delenv("PRODUCT_HANDOFF_URL")
    with factories.open_app(create_app()) as app_without_handoffs:
        receive_and_review(app_without_handoffs, *RENEWAL)

    with app.app_context():
        apply.ingest(
            parse_event(eventbridge_event(LICENSE_UPDATED, minutes_after_noon(3), agreement="agmt-b", license="l-b"))
        )

        # In the event's own transaction: no review is due.
        assert review.process_next() is None
    assert announced(app)[-1] == ("license.changed", "l-b", "agmt-b")


@on_sqlite
def test_late_event_about_an_earlier_license_announces_nothing(app: Flask) -> None:
    register_customer(app)
    receive_and_review(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)), *RENEWAL)
    before = announced(app)

    receive_and_review(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0), agreement="agmt-unknown"))

    assert announced(app) == before
    assert [subscription.purchase_key for subscription in all_rows(app, Subscription)] == ["l-b"]
