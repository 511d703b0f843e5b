"""Two people register for one purchase while AWS or the product is down: nobody enters the other's account."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models import Registration
from app.services.reports import outbox
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS
from tests.support.new_buyer import NewBuyer
from tests.support.one_account_product import OneAccountProduct
from tests.support.outbox_messages import handoff_messages
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows
from tests.views.shared_purchase.steps import (
    ADA,
    BOB,
    deliver,
    fail_handoff,
    land,
    register,
    register_during_outage,
    resolve_token,
    stored_addresses,
)

pytestmark = on_sqlite


@pytest.mark.parametrize("tries", [0, 1])
def test_handoff_that_waits_keeps_the_first_registration(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask, tries: int
) -> None:
    purchase = new_buyer.register()
    if tries:
        deliver(app, seconds=0)
    register_during_outage(new_buyer, bob, purchase, BOB)
    resolve_token(app)
    product.is_away = False
    deliver(app)

    assert stored_addresses(app) == [ADA]
    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (ADA, None)
    assert product.owners == {"acme-0": ADA}


def test_earlier_registration_without_purchase_yields_to_waiting_handoff(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask
) -> None:
    purchase = new_buyer.buy()
    register_during_outage(new_buyer, bob, purchase, BOB)
    new_buyer.submit_form()
    resolve_token(app)
    product.is_away = False
    deliver(app)

    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (ADA, None)


def test_account_made_without_a_reply_stays_with_its_person(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask
) -> None:
    product.is_away, product.is_deaf = False, True
    purchase = new_buyer.register()
    fail_handoff(app, product)
    land(new_buyer, bob, purchase)

    page = bob.get("/signup?change=")
    register_during_outage(new_buyer, bob, purchase, BOB)
    resolve_token(app)
    deliver(app)

    assert page.headers["Location"] == "/welcome"
    assert stored_addresses(app) == [ADA]
    assert product.entered_by(bob) is None


def test_person_who_replaces_refused_answers_is_another_registration(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask
) -> None:
    purchase = new_buyer.register()
    fail_handoff(app, product)
    land(new_buyer, bob, purchase)
    assert register(bob, BOB) == 303
    [handoff_of_ada, _] = handoff_messages(app)
    with app.app_context():
        assert not outbox.resend(handoff_of_ada.id)
    deliver(app)

    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (None, BOB)
    assert handoff_of_ada.registration_id not in {row.id for row in all_rows(app, Registration)}
    assert ADA not in str([message.payload for message in handoff_messages(app)])


def test_open_form_cannot_replace_answers_once_they_have_an_account(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask
) -> None:
    purchase = new_buyer.register()
    fail_handoff(app, product)
    land(new_buyer, bob, purchase)
    form = {**ANSWERS, "email": BOB, "csrf_token": csrf_token(bob.get("/signup?change=").text)}
    with app.app_context():
        outbox.resend(handoff_messages(app)[0].id)
    deliver(app)

    assert bob.post("/signup", data=form).status_code == 409
    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (ADA, None)


@pytest.mark.parametrize("is_account_made", [False, True])
def test_typing_the_owners_address_during_an_outage_lets_nobody_in(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask, is_account_made: bool
) -> None:
    product.is_away = not is_account_made
    purchase = new_buyer.register()
    deliver(app, seconds=0)
    register_during_outage(new_buyer, bob, purchase, ADA.upper())
    resolve_token(app)
    product.is_away = False
    deliver(app)

    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (ADA, None)


@pytest.mark.parametrize("email", [ADA, BOB])
def test_answers_of_a_dead_token_do_not_take_over_an_account(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask, email: str
) -> None:
    purchase = new_buyer.register()
    register_during_outage(new_buyer, bob, purchase, email)
    resolve_token(app, hours=5)
    land(new_buyer, bob, purchase)
    page = bob.get("/signup")
    product.is_away = False
    deliver(app)

    assert page.headers["Location"] == "/welcome"
    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (ADA, None)
