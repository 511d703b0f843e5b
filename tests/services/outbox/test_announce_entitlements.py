"""Hand-offs about a contract: one when its entitlements change, and none when they are read again unchanged."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.models import Subscription
from app.services.events import review
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import contract_purchases, factories
from tests.support.outbox_messages import handoff_messages
from tests.support.stored_rows import all_rows


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    """A sandbox that sells a contract."""
    with contract_purchases.serve_marketplace() as sandbox:
        yield sandbox


@pytest.fixture
def app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The app of a seller of contracts, whose product has an endpoint."""
    factories.enable_handoffs(environment)
    environment.setenv("PRODUCT_PRICING", "contract")
    with factories.open_app(create_app()) as app:
        yield app


@pytest.fixture
def purchase(sandbox: Sandbox) -> Purchase:
    """A contract that AWS has confirmed."""
    return contract_purchases.act(sandbox, contract_purchases.buy(sandbox), "confirm")


def land_and_review(app: Flask, purchase: Purchase) -> None:
    """Land as the buyer, and let the worker read the entitlements."""
    contract_purchases.land(app, purchase)
    with app.app_context():
        assert review.process_next()


def announced(app: Flask) -> list[tuple[str, Any]]:
    """Return the types of the hand-offs, and the entitlements in each."""
    return [
        (
            message.type,
            {item["dimension"]: item["value"] for item in message.payload["data"]["subscription"]["entitlements"]},
        )
        for message in handoff_messages(app)
    ]


def test_entitlements_are_announced_when_first_read_and_when_changed(
    app: Flask, sandbox: Sandbox, purchase: Purchase
) -> None:
    land_and_review(app, purchase)
    contract_purchases.act(sandbox, purchase, "change_entitlements", entitlements=[{"dimension": "seats", "value": 99}])
    land_and_review(app, purchase)

    assert announced(app) == [
        ("entitlements.changed", {"seats": 25, "tier": "standard"}),
        ("entitlements.changed", {"seats": 99}),
    ]


def test_entitlements_in_another_order_are_not_announced(app: Flask, sandbox: Sandbox, purchase: Purchase) -> None:
    seats = [{"dimension": "seats", "value": value} for value in (5, 25, 5)]
    contract = [{"dimension": "tier", "value": "standard"}, *reversed(seats)]
    for entitlements in ([*seats, contract[0]], contract, contract[:-1]):
        contract_purchases.act(sandbox, purchase, "change_entitlements", entitlements=entitlements)
        land_and_review(app, purchase)

    assert len(announced(app)) == 2
    assert len(all_rows(app, Subscription)[0].entitlements or []) == 3


def test_unchanged_entitlements_are_not_announced_again(app: Flask, sandbox: Sandbox, purchase: Purchase) -> None:
    land_and_review(app, purchase)
    before = [subscription.changed_at for subscription in all_rows(app, Subscription)]

    land_and_review(app, purchase)

    assert [type_ for type_, _ in announced(app)] == ["entitlements.changed"]
    assert [subscription.changed_at for subscription in all_rows(app, Subscription)] == before
