"""Subscriptions: one for each purchase, however often and in whatever form AWS names it."""

from flask import Flask

from app.database import engine
from app.services.purchases import purchase, subscriptions
from app.services.purchases.purchase import Resolved
from app.services.signup import registrations
from tests.support import factories

OLD = {"customer_identifier": "X01EXAMPLEX", "license_arn": None, "agreement_id": None}


def test_a_purchase_is_known_by_its_license(app: Flask) -> None:
    with app.app_context():
        first = subscriptions.upsert_from_landing(factories.landing())
        again = subscriptions.upsert_from_landing(factories.landing(customer_aws_account_id="999988887777"))
        other = subscriptions.upsert_from_landing(
            factories.landing(license_arn="arn:aws:license-manager::1:license:l-other")
        )

    assert first == again != other


def test_a_purchase_without_a_license_is_known_by_product_and_customer(app: Flask) -> None:
    with app.app_context():
        by_identifier = subscriptions.upsert_from_landing(factories.landing(**OLD))
        again = subscriptions.upsert_from_landing(factories.landing(**{**OLD, "customer_aws_account_id": None}))
        by_account = subscriptions.upsert_from_landing(factories.landing(license_arn=None))

    assert by_identifier == again != by_account


def test_what_a_later_arrival_does_not_say_stays(app: Flask) -> None:
    with app.app_context():
        subscriptions.upsert_from_landing(
            purchase.Landing(
                factories.customer(customer_identifier="X"),
                purchase.UnverifiedFields("free-trial", {"product-id": "prod-1"}),
            )
        )
        row_id = subscriptions.upsert_from_landing(factories.landing(customer_aws_account_id=None, agreement_id=None))
        found = subscriptions.find(row_id)

    assert found
    assert found.customer_aws_account_id == "012345678901"
    assert found.customer_identifier == "X"
    assert found.agreement_id
    assert (found.offer_type, found.hints) == ("free-trial", {"product-id": "prod-1"})


def test_a_listing_that_gains_licenses_keeps_its_old_purchases(app: Flask) -> None:
    with app.app_context():
        before = subscriptions.upsert_from_landing(factories.landing(**OLD))
        registrations.complete(factories.resolved(**OLD), factories.answers())

        after = subscriptions.upsert_from_landing(factories.landing(customer_identifier="X01EXAMPLEX"))

        found = subscriptions.find(after)
        assert after == before
        assert found
        assert (found.purchase_key, found.license_arn) == ("l-0123456789abcdef", factories.customer().license_arn)
        assert registrations.find_by_purchase(Resolved(factories.landing(), after))


def test_a_purchase_that_has_ended_is_not_taken_for_a_new_license(app: Flask) -> None:
    with app.app_context():
        ended = subscriptions.upsert_from_landing(factories.landing(**OLD))
        with engine.current_database().write_engine.begin() as connection:
            connection.exec_driver_sql("UPDATE subscriptions SET status = 'ended'")

        new = subscriptions.upsert_from_landing(factories.landing(customer_identifier="X01EXAMPLEX"))

    assert new != ended


def test_a_form_that_was_open_for_long_changes_nothing_of_the_purchase(app: Flask) -> None:
    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(agreement_id="agmt-old"))
        row_id = subscriptions.upsert_from_landing(factories.landing(agreement_id="agmt-new"))

        registrations.complete(factories.resolved(agreement_id="agmt-old"), factories.answers())

        found = subscriptions.find(row_id)
        assert found
        assert found.agreement_id == "agmt-new"


def test_an_old_purchase_is_not_taken_for_a_second_license(app: Flask) -> None:
    with app.app_context():
        first = subscriptions.upsert_from_landing(factories.landing(**{**OLD, "agreement_id": "agmt-first"}))

        second = subscriptions.upsert_from_landing(
            factories.landing(customer_identifier="X01EXAMPLEX", agreement_id="agmt-second")
        )

    assert first != second
