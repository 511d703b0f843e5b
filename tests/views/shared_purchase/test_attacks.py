"""Whoever comes second to a purchase enters no account that may have been made for the first."""

from flask import Flask
from flask.testing import FlaskClient

from app.services.reports import outbox
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support.aws_events import LICENSE_UPDATED
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS
from tests.support.new_buyer import NewBuyer
from tests.support.one_account_product import OneAccountProduct
from tests.support.outbox_messages import handoff_messages, send_due_handoffs
from tests.support.page_checks import csrf_token
from tests.support.registered_buyer import RegisteredBuyer
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


def try_to_replace(buyer: NewBuyer, bob: FlaskClient, purchase: Purchase) -> None:
    """Let Bob land, and send the form if he is shown one."""
    land(buyer, bob, purchase)
    if bob.get("/signup?change=").status_code == 200:
        register(bob, BOB)


def test_same_answers_from_another_browser_let_nobody_in(
    new_buyer: NewBuyer, app: Flask, product: OneAccountProduct, bob: FlaskClient
) -> None:
    product.is_away = False
    purchase = new_buyer.buy()
    land(new_buyer, bob, purchase)
    form = {**ANSWERS, "csrf_token": csrf_token(bob.get("/signup").text)}
    new_buyer.submit_form()
    deliver(app)

    bob.post("/signup", data=form)

    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (ADA, None)


def test_account_of_a_lost_reply_stays_through_later_refusals(
    new_buyer: NewBuyer, app: Flask, product: OneAccountProduct, bob: FlaskClient
) -> None:
    product.is_away, product.is_deaf = False, True
    purchase = new_buyer.register()
    deliver(app, seconds=0)
    product.is_away = True
    fail_handoff(app, product)

    try_to_replace(new_buyer, bob, purchase)
    deliver(app)

    assert product.entered_by(bob) is None


def test_account_of_a_lost_reply_stays_after_it_was_sent_again(
    new_buyer: NewBuyer, app: Flask, product: OneAccountProduct, bob: FlaskClient
) -> None:
    product.is_away, product.is_deaf = False, True
    purchase = new_buyer.register()
    fail_handoff(app, product)
    product.is_away = True
    with app.app_context():
        assert outbox.resend(handoff_messages(app)[0].id)
    for days in (8, 12):
        with time_passes(days=days):
            send_due_handoffs(app)
    product.is_away = False

    try_to_replace(new_buyer, bob, purchase)
    deliver(app)

    assert product.entered_by(bob) is None


def test_account_made_at_a_hand_off_of_the_status_stays(
    new_buyer: NewBuyer, app: Flask, product: OneAccountProduct, bob: FlaskClient
) -> None:
    purchase = new_buyer.register()
    fail_handoff(app, product)
    product.is_deaf = True
    RegisteredBuyer(new_buyer.client, purchase).receive_event(LICENSE_UPDATED)
    deliver(app, seconds=0)
    product.is_deaf = False

    register_during_outage(new_buyer, bob, purchase, BOB)
    resolve_token(app)
    deliver(app)

    assert product.entered_by(bob) is None


def test_first_registered_stays_where_the_product_takes_no_hand_offs(
    app: Flask, client: FlaskClient, sandbox: Sandbox
) -> None:
    buyer = NewBuyer(client, sandbox, OneAccountProduct())
    purchase = buyer.register()

    register_during_outage(buyer, app.test_client(), purchase, BOB)
    resolve_token(app)

    assert stored_addresses(app) == [ADA]
