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
from app.services.purchases.purchase import Arrival, Arrived, Parked, Purchase, Said
from app.services.signup import pending_tokens
from app.services.signup.pending_tokens import ParkingFull

log = structlog.get_logger()


def land(token: str, said: Said, may_park: Callable[[], bool]) -> Purchase:
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
        return _park(token, said, may_park(), error)
    products.current()[customer.product_code]
    return recorded(Arrived(Arrival(customer, said)))


def recorded(arrived: Arrived) -> Arrived:
    """Return the purchase with its subscription's id; as it is where the database is away.

    What AWS said is in the buyer's signed session: that is enough to go on to the form.
    """
    try:
        return Arrived(arrived.arrival, subscriptions.arrive(arrived.arrival))
    except DatabaseUnavailable as error:
        log.error("landing.owed", code=error.code)
        return arrived


def arrived(subscription: Subscription | Row[Any]) -> Arrived:
    """Return the purchase of a subscription that is stored."""
    arrival = Arrival(subscriptions.customer_of(subscription), Said(subscription.offer_type))
    return Arrived(arrival, subscription.id)


def caught_up(purchase: Purchase) -> Purchase:
    """Return the purchase as far as it is known by now: recorded if it was owed, resolved if it was parked."""
    if isinstance(purchase, Arrived):
        return purchase if purchase.subscription_id else recorded(purchase)
    try:
        subscription = subscriptions.of_parked(purchase.id)
    except DatabaseUnavailable:
        return purchase
    if subscription is None:
        return purchase
    said = Said(purchase.offer_type)
    return Arrived(Arrival(subscriptions.customer_of(subscription), said), subscription.id)


def found_again(purchase: Purchase) -> Purchase:
    """Return the purchase with the subscription that it has become part of, where its own is gone.

    Raises:
        DatabaseUnavailable: nobody can say whether it is.
    """
    if isinstance(purchase, Parked) or not purchase.subscription_id or subscriptions.find(purchase.subscription_id):
        return purchase
    log.info("purchase.found_again", subscription=str(purchase.subscription_id))
    return recorded(purchase)


def _park(token: str, said: Said, may_park: bool, error: Throttled | MarketplaceUnavailable) -> Parked:
    try:
        return pending_tokens.park(token, said, may_park=may_park)
    except (ParkingFull, DatabaseUnavailable) as obstacle:
        log.error("token.turned_away", reason=obstacle.code)
        raise error from obstacle
