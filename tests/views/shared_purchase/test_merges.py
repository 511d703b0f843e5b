"""Two people's purchases become one while hand-offs wait or replies are lost: nobody enters the other's account."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import bindparam, update

from app.config import products
from app.models import OutboxMessage
from app.services.delivery import send_handoff
from app.services.events import merge
from app.services.reports import outbox
from tests.support import handoff_receiver
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_CODE
from tests.support.new_buyer import NewBuyer
from tests.support.one_account_product import URL, OneAccountProduct
from tests.support.outbox_messages import claim_due, handoff_messages
from tests.support.personal_data import run_transaction
from tests.views.shared_purchase.steps import ADA, BOB, deliver, registration_ids, stored_addresses, two_purchases

pytestmark = on_sqlite
# An operator can send those again that ask for no account.
MAKE_STATUS = (
    update(OutboxMessage).where(OutboxMessage.id == bindparam("handoff")).values(type="subscription.activated")
)


@pytest.mark.parametrize("tries", [0, 1])
@pytest.mark.parametrize("land_first", [ADA, BOB])
def test_merge_while_product_is_down_lets_one_person_in(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask, tries: int, land_first: str
) -> None:
    browsers = {ADA: new_buyer.client, BOB: bob}
    kept, gone = two_purchases(new_buyer, browsers, land_first)
    if tries:
        deliver(app, seconds=0)
    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    product.is_away = False
    deliver(app)

    [stays] = stored_addresses(app)
    assert stays == (land_first if tries else ADA)
    assert {email: product.entered_by(browser) for email, browser in browsers.items()} == {
        ADA: ADA if stays == ADA else None,
        BOB: BOB if stays == BOB else None,
    }
    assert set(product.owners.values()) == {stays}


@pytest.mark.parametrize("received", ["oldest", "newest", "both"])
def test_merge_after_lost_replies_lets_nobody_into_others_account(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask, received: str
) -> None:
    browsers = {ADA: new_buyer.client, BOB: bob}
    kept, gone = two_purchases(new_buyer, browsers, ADA)
    for number in range(2):
        claimed = claim_due(app)
        product.is_away, product.is_deaf = received not in {("oldest", "newest")[number], "both"}, True
        with app.app_context():
            send_handoff.send(products.current().handoff_endpoints[PRODUCT_CODE], claimed, allow_private=True)
    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    product.is_away = product.is_deaf = False
    deliver(app)

    assert {product.entered_by(browser) for browser in browsers.values()} == {None, stored_addresses(app)[0]}
    assert all(product.entered_by(browser) in {None, email} for email, browser in browsers.items())


def test_named_account_remains_beside_one_of_a_lost_reply(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask
) -> None:
    kept, gone = two_purchases(new_buyer, {ADA: new_buyer.client, BOB: bob}, ADA)
    product.is_away = False
    for is_deaf in (True, False):
        claimed, product.is_deaf = claim_due(app), is_deaf
        with app.app_context():
            send_handoff.send(products.current().handoff_endpoints[PRODUCT_CODE], claimed, allow_private=True)
    run_transaction(app, lambda connection: merge.merge_into_one(connection, {kept, gone}))
    deliver(app)

    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (None, BOB)


def test_handoff_in_flight_during_merge_makes_no_account_for_another(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask
) -> None:
    browsers = {ADA: new_buyer.client, BOB: bob}
    kept, gone = two_purchases(new_buyer, browsers, BOB)
    claimed = claim_due(app)
    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    product.is_away = False
    with app.app_context():
        send_handoff.send(products.current().handoff_endpoints[PRODUCT_CODE], claimed, allow_private=True)
    deliver(app)

    assert all(product.entered_by(browser) in {None, email} for email, browser in browsers.items())
    assert len(stored_addresses(app)) == 1


def test_late_reply_about_somebody_else_is_ignored(
    new_buyer: NewBuyer, product: OneAccountProduct, bob: FlaskClient, app: Flask
) -> None:
    browsers = {ADA: new_buyer.client, BOB: bob}
    product.is_away = False
    kept, gone = two_purchases(new_buyer, browsers, ADA)
    deliver(app)
    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    deliver(app)
    of_bob = next(row for row in handoff_messages(app) if row.registration_id not in registration_ids(app))
    run_transaction(app, lambda connection: connection.execute(MAKE_STATUS, {"handoff": of_bob.id}))
    with app.app_context():
        assert outbox.resend(of_bob.id)
    product.reply = lambda _: handoff_receiver.json_reply(url=f"{URL}acme-1", reference="acme-1")
    deliver(app)

    assert product.entered_by(new_buyer.client) == ADA
