"""Landings: what becomes of a registration token, with AWS and the database well or not."""

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Row

from app.aws import resolve_customer
from app.config import products
from app.errors import DatabaseUnavailable, MarketplaceUnavailable, Throttled
from app.models import Subscription
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Landing, Pending, Purchase, Resolved, UnverifiedFields
from app.services.signup import pending_tokens
from app.services.signup.pending_tokens import PendingTokensFull

log = structlog.get_logger()


def resolve_token(token: str, unverified: UnverifiedFields, may_store_pending: Callable[[], bool]) -> Purchase:
    """Return the purchase that the token stands for or, where AWS does not answer in time, the token's parking place.

    Without leave to park one more, only a token that is parked already has a place; nobody is asked for it before.

    Raises:
        InvalidToken, ExpiredToken: the buyer has to start again from AWS Marketplace.
        UnknownProduct: nothing was stored.
        Throttled, MarketplaceUnavailable: and the token could not be parked either.
        ApiDisabled, CredentialsRefused, PermissionDenied, IncompleteAnswer: the seller has to mend the set-up.
    """
    try:
        customer = resolve_customer.resolve(token)
    except (Throttled, MarketplaceUnavailable) as error:
        log.warning("resolve.failed", fault=type(error).__name__, code=error.code)
        return _store_pending(token, unverified, may_store_pending(), error)
    products.current()[customer.product_code]
    return try_store(Resolved(Landing(customer, unverified)))


def try_store(resolved: Resolved) -> Resolved:
    """Return the purchase with its subscription's id; as it is where the database is away.

    What AWS said is in the buyer's signed session: that is enough to go on to the form.
    """
    try:
        return Resolved(resolved.landing, subscriptions.upsert_from_landing(resolved.landing))
    except DatabaseUnavailable as error:
        log.error("landing.not_stored", code=error.code)
        return resolved


def from_subscription(subscription: Subscription | Row[Any]) -> Resolved:
    """Return the purchase of a subscription that is stored."""
    arrival = Landing(subscriptions.customer_of(subscription), UnverifiedFields(subscription.offer_type))
    return Resolved(arrival, subscription.id)


def refresh(purchase: Purchase) -> Purchase:
    """Return the purchase as far as it is known by now: recorded if it was owed, resolved if it was parked."""
    if isinstance(purchase, Resolved):
        return purchase if purchase.subscription_id else try_store(purchase)
    try:
        subscription = subscriptions.find_by_pending_token(purchase.id)
    except DatabaseUnavailable:
        return purchase
    if subscription is None:
        return purchase
    said = UnverifiedFields(purchase.offer_type)
    return Resolved(Landing(subscriptions.customer_of(subscription), said), subscription.id)


def follow_merge(purchase: Purchase) -> Purchase:
    """Return the purchase with the subscription that it has become part of, where its own is gone.

    Raises:
        DatabaseUnavailable: nobody can say whether it is.
    """
    if isinstance(purchase, Pending) or not purchase.subscription_id or subscriptions.find(purchase.subscription_id):
        return purchase
    log.info("purchase.merged", subscription=str(purchase.subscription_id))
    return try_store(purchase)


def _store_pending(
    token: str, unverified: UnverifiedFields, may_store_pending: bool, error: Throttled | MarketplaceUnavailable
) -> Pending:
    try:
        return pending_tokens.store(token, unverified, may_store_pending=may_store_pending)
    except (PendingTokensFull, DatabaseUnavailable) as obstacle:
        log.error("token.not_stored", reason=obstacle.code)
        raise error from obstacle
