"""Turns a registration token into a purchase, also while AWS or the database is down."""

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Row

from app.aws import resolve_customer
from app.aws.customer import Customer
from app.config import products
from app.errors import DatabaseUnavailable, MarketplaceUnavailable, Throttled
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Landing, Pending, Purchase, Resolved, UnverifiedFields
from app.services.signup import pending_tokens

log = structlog.get_logger()


def resolve_token(token: str, unverified: UnverifiedFields, may_store_pending: Callable[[], bool]) -> Purchase:
    """Return the token's purchase; a pending one where AWS does not answer in time.

    `may_store_pending` is asked only then: whether one more token may be stored for this address. If not, a token that
    is stored already is still found.

    Raises:
        InvalidToken, ExpiredToken: the buyer has to start again from AWS Marketplace.
        UnknownProduct: nothing was stored.
        Throttled, MarketplaceUnavailable: the token could not be stored as pending either.
        ApiDisabled, CredentialsRefused, SetupInvalid, PermissionDenied, IncompleteAnswer: the seller has to fix it.
    """
    try:
        customer = resolve_customer.resolve(token)
    except (Throttled, MarketplaceUnavailable) as error:
        log.warning("resolve.failed", fault=type(error).__name__, code=error.code)
        try:
            return pending_tokens.store(token, unverified, may_store_pending=may_store_pending())
        except (pending_tokens.PendingTokensFull, DatabaseUnavailable) as obstacle:
            log.error("token.not_stored", reason=obstacle.code)
            raise error from obstacle
    products.current()[customer.product_code]
    return try_store(Resolved(Landing(customer, unverified)))


def try_store(resolved: Resolved) -> Resolved:
    """Return the purchase with its subscription's id; unchanged while the database is down.

    The buyer's signed session holds what AWS answered: that is enough to show the form.
    """
    try:
        return Resolved(resolved.landing, subscriptions.upsert_from_landing(resolved.landing))
    except DatabaseUnavailable as error:
        log.error("landing.not_stored", code=error.code)
        return resolved


def from_subscription(subscription: Row[Any], offer_type: str | None = None) -> Resolved:
    """Return the purchase of a stored subscription, with the offer type that this browser posted if it did."""
    unverified = UnverifiedFields(offer_type or subscription.offer_type)
    return Resolved(Landing(Customer.from_row(subscription), unverified), subscription.id)


def refresh(purchase: Purchase) -> Purchase:
    """Return what a purchase without subscription has become since: stored, or resolved if it was pending."""
    if isinstance(purchase, Resolved):
        return try_store(purchase)
    try:
        subscription = subscriptions.find_by_pending_token(purchase.id)
    except DatabaseUnavailable:
        return purchase
    return from_subscription(subscription, purchase.offer_type) if subscription else purchase


def follow_merge(purchase: Purchase) -> Purchase:
    """Return the purchase with the subscription that its own was merged into, if it was."""
    if isinstance(purchase, Pending) or not purchase.subscription_id or subscriptions.find(purchase.subscription_id):
        return purchase
    log.info("purchase.merged", subscription=str(purchase.subscription_id))
    return try_store(purchase)
