"""What a product is told of a contract: its entitlements once when they change, and not when they are read again."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.config.products import Product
from app.models import Subscription
from app.services.events import review
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Landing
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import PRODUCT_CODE
from tests.support.outbox_messages import handoff_messages
from tests.support.stored_rows import all_rows


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    """A marketplace that sells a contract."""
    with Sandbox([Product(code=PRODUCT_CODE, **{**factories.PRODUCT_FIELDS, "pricing": "contract"})]) as sandbox:
        yield sandbox


@pytest.fixture
def app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application of a seller of contracts, whose product takes hand-offs."""
    factories.enable_handoffs(environment)
    environment.setenv("PRODUCT_PRICING", "contract")
    with factories.open_app(create_app()) as app:
        yield app


@pytest.fixture
def purchase(sandbox: Sandbox) -> Purchase:
    """A contract that AWS has confirmed."""
    bought = sandbox.marketplace.buy(factories.order())
    sandbox.marketplace.apply_action(bought, "confirm", delivery="late")
    return sandbox.marketplace.get_purchase(bought.id)


def look(app: Flask, purchase: Purchase) -> None:
    """Let the buyer land, and the entitlements be read."""
    customer = factories.customer(
        customer_aws_account_id=purchase.account_id,
        license_arn=purchase.license_arn,
        agreement_id=purchase.agreement_id,
    )
    with app.app_context():
        subscriptions.upsert_from_landing(Landing(customer))
        assert review.process_next()


def told(app: Flask) -> list[tuple[str, Any]]:
    """Return the types of the hand-offs, and which entitlements each of them names."""
    return [
        (
            message.type,
            {held["dimension"]: held["value"] for held in message.payload["data"]["subscription"]["entitlements"]},
        )
        for message in handoff_messages(app)
    ]


def test_entitlements_are_told_when_they_are_first_read_and_when_they_change(
    app: Flask, sandbox: Sandbox, purchase: Purchase
) -> None:
    look(app, purchase)
    sandbox.marketplace.apply_action(
        purchase, "change_entitlements", delivery="late", entitlements=[{"dimension": "seats", "value": 99}]
    )
    look(app, purchase)

    assert told(app) == [
        ("entitlements.changed", {"seats": 25, "tier": "standard"}),
        ("entitlements.changed", {"seats": 99}),
    ]


def test_entitlements_in_another_order_are_no_change(app: Flask, sandbox: Sandbox, purchase: Purchase) -> None:
    seats = [{"dimension": "seats", "value": value} for value in (5, 25, 5)]
    others = [{"dimension": "tier", "value": "standard"}, *reversed(seats)]
    for held in ([*seats, others[0]], others, others[:-1]):
        sandbox.marketplace.apply_action(purchase, "change_entitlements", delivery="late", entitlements=held)
        look(app, purchase)

    assert len(told(app)) == 2
    assert len(all_rows(app, Subscription)[0].entitlements or []) == 3


def test_entitlements_that_are_read_again_unchanged_are_not_told_and_no_change(
    app: Flask, sandbox: Sandbox, purchase: Purchase
) -> None:
    look(app, purchase)
    before = [subscription.changed_at for subscription in all_rows(app, Subscription)]

    look(app, purchase)

    assert [kind for kind, _ in told(app)] == ["entitlements.changed"]
    assert [subscription.changed_at for subscription in all_rows(app, Subscription)] == before
