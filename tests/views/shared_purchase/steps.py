"""What two people who register for one purchase do, what the worker does, and what is stored then."""

from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient

from app.models import Registration, Subscription
from app.services.signup import retry_pending
from sandbox.purchases import Purchase
from tests.support.aws_events import ACCOUNT_ID
from tests.support.clock import time_passes
from tests.support.factories import ANSWERS, TOKEN_FIELD, order
from tests.support.new_buyer import NewBuyer
from tests.support.one_account_product import OneAccountProduct
from tests.support.outbox_messages import handoff_messages, send_due_handoffs
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows

ADA, BOB = ANSWERS["email"], "bob@gmail.com"


def land(buyer: NewBuyer, browser: FlaskClient, purchase: Purchase) -> None:
    browser.post("/", data={TOKEN_FIELD: buyer.sandbox.marketplace.mint_token(purchase)})


def register(browser: FlaskClient, email: str, **answers: str) -> int:
    form = {**ANSWERS, "email": email, **answers, "csrf_token": csrf_token(browser.get("/signup?change=").text)}
    return browser.post("/signup", data=form).status_code


def register_during_outage(buyer: NewBuyer, browser: FlaskClient, purchase: Purchase, email: str) -> None:
    """Land and register while AWS is down; then AWS is back."""
    buyer.sandbox.marketplace.change_faults(aws_down=True)
    land(buyer, browser, purchase)
    assert register(browser, email) == 303
    buyer.sandbox.marketplace.change_faults(aws_down=False)


def resolve_token(app: Flask, **passed: float) -> None:
    with app.app_context(), time_passes(**passed or {"seconds": 5}):
        assert retry_pending.resolve_next()


def deliver(app: Flask, **passed: float) -> None:
    """Send all hand-offs that are due after that time."""
    with time_passes(**passed or {"hours": 1}):
        send_due_handoffs(app)


def stored_addresses(app: Flask) -> list[str]:
    return [registration.email for registration in all_rows(app, Registration)]


def two_purchases(buyer: NewBuyer, browsers: dict[str, FlaskClient], land_first: str) -> list[UUID]:
    """Ada, then Bob register for purchases of their own; return the ids of the subscriptions, the oldest first."""
    purchases = {email: buyer.sandbox.marketplace.buy(order(account_id=ACCOUNT_ID)) for email in browsers}
    for email in sorted(browsers, key=lambda email: email != land_first):
        land(buyer, browsers[email], purchases[email])
    for email, browser in browsers.items():
        assert register(browser, email) == 303
    return [subscription.id for subscription in all_rows(buyer.client.application, Subscription)]


def fail_handoff(app: Flask, product: OneAccountProduct) -> None:
    """Let the first hand-off fail after three days."""
    with time_passes(days=3, hours=1):
        send_due_handoffs(app)
    with time_passes(days=6, hours=2):
        send_due_handoffs(app)
    assert [message.outcome for message in handoff_messages(app)] == ["failed"]
    product.is_away = product.is_deaf = False


def registration_ids(app: Flask) -> set[UUID]:
    return {registration.id for registration in all_rows(app, Registration)}
