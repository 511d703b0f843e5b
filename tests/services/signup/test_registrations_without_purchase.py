"""Registrations without purchase: attached when their token is resolved, moved or kept when it is given up."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from flask import Flask
from sqlalchemy import update

from app.database import transactions
from app.models import PendingToken
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Pending
from app.services.reports import gauges
from app.services.signup import registrations, resume_links
from tests.support import factories
from tests.support.pending_purchases import StorePendingToken, resolve_pending, stored_token


def test_forms_sent_while_their_tokens_are_resolved_are_all_attached(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    purchases = [store_pending_token() for _ in range(10)]

    def register(purchase: Pending) -> None:
        with app.app_context():
            registrations.complete(purchase, factories.answers())

    with ThreadPoolExecutor(8) as threads:
        running: list[Future[object]] = []
        for purchase in purchases:
            running += [threads.submit(resolve_pending, app, seconds=3), threads.submit(register, purchase)]
        assert all(future.exception() is None for future in running)
    while resolve_pending(app, seconds=3):
        pass

    with app.app_context():
        assert gauges.current()["foyer_unlinked_registrations"] == 0
        assert gauges.current()["foyer_parked_tokens"] == 0
    assert len({stored_token(app, purchase.id).subscription_id for purchase in purchases}) == len(purchases)


def test_form_waits_while_its_token_is_settled_and_is_then_attached(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()
    stored: list[registrations.StoredRegistration] = []

    def send_form() -> None:
        with app.app_context():
            stored.append(registrations.complete(pending, factories.answers()))

    buyer = threading.Thread(target=send_form)
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        subscription_id = subscriptions.upsert_in_transaction(connection, factories.landing())
        settled = {"sealed": None, "next_try_at": None, "settled_at": datetime.now(UTC)}
        resolved = update(PendingToken).values(**settled, subscription_id=subscription_id)
        connection.execute(resolved.where(PendingToken.id == pending.id))
        buyer.start()
        # Long enough for a form that does not wait to be stored without the purchase.
        buyer.join(0.5)
    buyer.join()

    assert [registration.subscription_id for registration in stored] == [subscription_id]
    with app.app_context():
        assert gauges.current()["foyer_unlinked_registrations"] == 0


def test_registration_moved_to_a_registered_purchase_leaves_one(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()
    with app.app_context():
        earlier = registrations.complete(pending, factories.answers(company="Before"))
        first = registrations.complete(factories.resolved(), factories.answers(company="First"))
    resolve_pending(app, hours=5)

    with app.app_context():
        last = registrations.complete(
            factories.resolved(), factories.answers(company="Last"), [earlier.registration_id]
        )

        assert last.registration_id == first.registration_id
        assert not resume_links.is_without_purchase(earlier.registration_id)


def test_registration_of_another_address_is_not_moved(app: Flask, store_pending_token: StorePendingToken) -> None:
    pending = store_pending_token()
    with app.app_context():
        registration_id = registrations.complete(pending, factories.answers()).registration_id
    resolve_pending(app, hours=6)

    with app.app_context():
        registrations.complete(factories.resolved(), factories.answers(email="bob@example.com"), [registration_id])

        assert resume_links.is_without_purchase(registration_id)


def test_resent_form_of_a_given_up_token_keeps_its_registration(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()
    with app.app_context():
        first = registrations.complete(pending, factories.answers())
    resolve_pending(app, hours=6)

    with app.app_context():
        second = registrations.complete(pending, factories.answers(company="Juniper"), [first.registration_id])

        assert second.registration_id == first.registration_id
        registration = registrations.find_by_purchase(pending)
        assert registration
        assert registration.company == "Juniper"
