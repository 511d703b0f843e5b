"""Subscriptions: one row for each purchase, however often and in whatever form AWS names it."""

from flask import Flask

from app.database import transactions
from app.services.purchases import purchase, subscriptions
from app.services.purchases.purchase import Resolved
from app.services.signup import registrations
from tests.support import factories

OLD = {"customer_identifier": "X01EXAMPLEX", "license_arn": None, "agreement_id": None}


def test_license_identifies_the_purchase(app: Flask) -> None:
    with app.app_context():
        first = subscriptions.upsert_from_landing(factories.landing())
        again = subscriptions.upsert_from_landing(factories.landing(customer_aws_account_id="999988887777"))
        other = subscriptions.upsert_from_landing(
            factories.landing(license_arn="arn:aws:license-manager::1:license:l-other")
        )

    assert first == again != other


def test_product_and_customer_identify_a_purchase_without_license(app: Flask) -> None:
    with app.app_context():
        by_identifier = subscriptions.upsert_from_landing(factories.landing(**OLD))
        again = subscriptions.upsert_from_landing(factories.landing(**{**OLD, "customer_aws_account_id": None}))
        by_account = subscriptions.upsert_from_landing(factories.landing(license_arn=None))

    assert by_identifier == again != by_account


def test_landing_keeps_values_that_aws_leaves_out(app: Flask) -> None:
    with app.app_context():
        subscriptions.upsert_from_landing(
            purchase.Landing(
                factories.customer(customer_identifier="X"),
                purchase.UnverifiedFields("free-trial", {"product-id": "prod-1"}),
            )
        )
        row_id = subscriptions.upsert_from_landing(factories.landing(customer_aws_account_id=None, agreement_id=None))
        subscription = subscriptions.find(row_id)

    assert subscription
    assert subscription.customer_aws_account_id == "012345678901"
    assert subscription.customer_identifier == "X"
    assert subscription.agreement_id
    assert (subscription.offer_type, subscription.hints) == ("free-trial", {"product-id": "prod-1"})


def test_old_subscription_is_kept_when_its_buyer_lands_with_a_license(app: Flask) -> None:
    with app.app_context():
        before = subscriptions.upsert_from_landing(factories.landing(**OLD))
        registrations.complete(factories.resolved(**OLD), factories.answers())

        after = subscriptions.upsert_from_landing(factories.landing(customer_identifier="X01EXAMPLEX"))

        subscription = subscriptions.find(after)
        assert after == before
        assert subscription
        assert (subscription.purchase_key, subscription.license_arn) == (
            "l-0123456789abcdef",
            factories.customer().license_arn,
        )
        assert registrations.find_by_purchase(Resolved(factories.landing(), after))


def test_new_license_is_not_given_to_an_ended_subscription(app: Flask) -> None:
    with app.app_context():
        ended = subscriptions.upsert_from_landing(factories.landing(**OLD))
        with transactions.current_database().write_engine.begin() as connection:
            connection.exec_driver_sql("UPDATE subscriptions SET status = 'ended'")

        new = subscriptions.upsert_from_landing(factories.landing(customer_identifier="X01EXAMPLEX"))

    assert new != ended


def test_old_form_does_not_change_the_subscription(app: Flask) -> None:
    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(agreement_id="agmt-old"))
        row_id = subscriptions.upsert_from_landing(factories.landing(agreement_id="agmt-new"))

        registrations.complete(factories.resolved(agreement_id="agmt-old"), factories.answers())

        subscription = subscriptions.find(row_id)
        assert subscription
        assert subscription.agreement_id == "agmt-new"


def test_second_agreement_is_not_given_to_an_old_subscription(app: Flask) -> None:
    with app.app_context():
        first = subscriptions.upsert_from_landing(factories.landing(**{**OLD, "agreement_id": "agmt-first"}))

        second = subscriptions.upsert_from_landing(
            factories.landing(customer_identifier="X01EXAMPLEX", agreement_id="agmt-second")
        )

    assert first != second
