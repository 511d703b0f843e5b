"""What a product is told of another license, which it has to meter with: once, as soon as AWS tells of it."""

from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.models import Subscription
from app.services.events import apply, review
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Landing
from app.services.signup import erasure
from tests.support import factories
from tests.support.aws_events import AGREEMENT_ID, LICENSE_ID, eventbridge_event, minutes_after_noon, parse_event
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import (
    LICENSE_UPDATED,
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


def tell(app: Flask, *bodies: dict[str, Any]) -> None:
    with app.app_context():
        for body in bodies:
            apply.ingest(parse_event(body))
        while review.process_next() is not None:
            pass


def told(app: Flask) -> list[tuple[str, str, str]]:
    """Return the types of the hand-offs, and which license and agreement each of them names."""
    contents = [(message.type, message.payload["data"]["subscription"]) for message in handoff_messages(app)]
    return [(kind, about["license_arn"].rpartition(":")[2], about["agreement_id"]) for kind, about in contents]


def test_a_renewal_with_another_license_is_told_once_and_mailed_to_nobody(app: Flask) -> None:
    register_customer(app)
    tell(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)))
    before = len(mail_messages(app))

    tell(app, *RENEWAL, *RENEWAL)

    assert told(app)[1:] == [
        ("subscription.activated", LICENSE_ID, AGREEMENT_ID),
        ("license.changed", "l-b", "agmt-b"),
    ]
    assert len(mail_messages(app)) == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_renewal_is_told_in_whatever_order_aws_tells_of_it(app: Flask, order: tuple[int, int]) -> None:
    register_customer(app)
    tell(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)))

    tell(app, *(RENEWAL[place] for place in order))

    assert told(app)[-1][1:] == ("l-b", "agmt-b")
    assert [subscription.purchase_key for subscription in all_rows(app, Subscription)] == ["l-b"]


def test_a_product_that_has_heard_nothing_yet_hears_nothing_of_a_license_alone(app: Flask) -> None:
    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(license_arn=None))

    tell(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)))

    assert told(app) == [("subscription.activated", LICENSE_ID, AGREEMENT_ID)]


@pytest.mark.parametrize("is_reviewed", [True, False])
def test_a_purchase_of_an_old_listing_that_lands_with_its_first_license_tells_of_it(
    app: Flask, is_reviewed: bool
) -> None:
    old = {"customer_identifier": "X01EXAMPLEX", "license_arn": None, "agreement_id": None}
    register_customer(app, old)
    if is_reviewed:
        tell(app)

    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(customer_identifier="X01EXAMPLEX"))
    tell(app)

    last = handoff_messages(app)[-1]
    assert (last.type, last.payload["data"]["subscription"]["license_arn"]) == (
        "license.changed",
        factories.customer().license_arn,
    )
    assert len(handoff_messages(app)) == 2


def test_a_license_that_is_spelt_otherwise_is_no_other(app: Flask) -> None:
    register_customer(app, {"license_arn": f"aws:license-manager:us-east-1:123456789012:{LICENSE_ID}"})
    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing())

    tell(app)

    assert [message.type for message in handoff_messages(app)] == ["registration.completed"]


@on_sqlite
def test_where_the_product_takes_no_hand_offs_any_more_a_review_is_no_change(
    app: Flask, environment: pytest.MonkeyPatch
) -> None:
    register_customer(app)
    tell(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)), *RENEWAL[:1])
    environment.delenv("PRODUCT_HANDOFF_URL")
    with factories.open_app(create_app()) as without:
        tell(without, *RENEWAL[1:])
        [before] = all_rows(without, Subscription)
        with without.app_context():
            subscriptions.upsert_from_landing(Landing(subscriptions.customer_of(before)))

        tell(without)

        assert [subscription.changed_at for subscription in all_rows(without, Subscription)] == [before.changed_at]


@on_sqlite
def test_a_license_that_only_a_hand_off_about_who_was_erased_told_of_is_told_all_the_same(app: Flask) -> None:
    subscription_id = register_customer(app)
    tell(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(0)))
    while waiting := claim_next(app):
        settle_message(app, waiting)
    with app.app_context():
        for body in RENEWAL:
            apply.ingest(parse_event(body))
    renewed = {"license_arn": "arn:aws:license-manager::294406891311:license:l-b", "agreement_id": "agmt-b"}
    register_customer(app, renewed, company="Ostrava Robotics")
    tell(app)

    with app.app_context():
        erasure.erase(registration_id_of(app, subscription_id), "operator:alice")
    tell(app)

    assert [message.outcome for message in handoff_messages(app)][-2:] == ["cancelled", "waiting"]
    assert told(app)[-1] == ("license.changed", "l-b", "agmt-b")
