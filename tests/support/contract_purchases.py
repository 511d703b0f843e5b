"""Purchases of contracts: what AWS does with them, and what the application has stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask import Flask

from app.config.products import Product
from app.models import Subscription
from app.services.events import apply, review
from app.services.purchases import entitlements, subscriptions
from app.services.purchases.aws_event import parse_body
from app.services.purchases.purchase import Landing
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import PRODUCT_CODE
from tests.support.stored_rows import all_rows

MANY_ENTITLEMENTS = [{"dimension": f"seats_{number}", "value": number} for number in range(30)]


@contextmanager
def serve_marketplace() -> Iterator[Sandbox]:
    """An AWS Marketplace that sells a contract, inside a `with` block."""
    with Sandbox([Product(code=PRODUCT_CODE, **{**factories.PRODUCT_FIELDS, "pricing": "contract"})]) as sandbox:
        yield sandbox


def buy(sandbox: Sandbox, **order: Any) -> Purchase:
    """Let a customer buy a contract."""
    return sandbox.marketplace.buy(factories.order(**order))


def act(sandbox: Sandbox, purchase: Purchase, action: str, **options: Any) -> Purchase:
    """Do an action of AWS's on the purchase, whose events are not delivered; return the purchase after it."""
    sandbox.marketplace.apply_action(purchase, action, delivery="late", **options)
    return sandbox.marketplace.get_purchase(purchase.id)


def land(app: Flask, purchase: Purchase) -> None:
    """Store a landing of the purchase's customer."""
    customer = factories.customer(
        customer_aws_account_id=purchase.account_id,
        customer_identifier=purchase.customer_identifier,
        license_arn=purchase.license_arn,
        agreement_id=purchase.agreement_id if purchase.license_arn else None,
    )
    with app.app_context():
        subscriptions.upsert_from_landing(Landing(customer))


def ingest_all(app: Flask, sandbox: Sandbox) -> None:
    """Ingest all events so far."""
    ingest_first(app, sandbox)


def ingest_first(app: Flask, sandbox: Sandbox, count: int | None = None) -> None:
    """Ingest so many of the events so far, the earliest first; None: all of them."""
    with app.app_context():
        for event in sandbox.marketplace.events()[:count]:
            apply.ingest(parse_body(event.body, event.id, datetime.now(UTC)))


def review_due(app: Flask) -> list[bool | None]:
    """Review what is due; return that, and what the review after it does."""
    with app.app_context():
        return [review.process_next(), review.process_next()]


def stored_values(app: Flask) -> dict[str, object]:
    """Return the only subscription's entitlements: each dimension's value."""
    [subscription] = all_rows(app, Subscription)
    return {entitlement.dimension: entitlement.value for entitlement in entitlements.load_stored(subscription)}


def stored_status(app: Flask) -> str:
    """Return the only subscription's status."""
    [subscription] = all_rows(app, Subscription)
    return str(subscription.status)
