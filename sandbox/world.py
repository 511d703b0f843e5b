"""All that the pretend AWS Marketplace knows: products, buyers, purchases, events and faults."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from app.config.products import Product
from sandbox import events, kept, lives, notifications, purchases, state, tokens
from sandbox.deliveries import Deliveries, Sequence
from sandbox.entitlements import Pricing
from sandbox.events import Event
from sandbox.faults import Faults
from sandbox.inbox import Inbox
from sandbox.lives import Act
from sandbox.purchases import Buyer, Delivery, Order, Purchase
from sandbox.queue import EventsQueue
from sandbox.state import State


class UnknownProduct(LookupError):
    """The sandbox does not sell the product that an order names."""


class UnknownPurchase(LookupError):
    """The sandbox holds no such purchase."""


class World:
    """One pretend AWS Marketplace, safe to share between threads.

    With a path, purchases and events are kept in that JSON file and found there by the next World. Faults are not kept:
    after a restart everything works.

    Raises:
        SystemExit: the file is there but is not one that a World wrote.
    """

    def __init__(self, products: Iterable[Product], path: Path | None = None) -> None:
        self.products = {product.code: product for product in products}
        self._path = path
        self._lock = threading.Lock()
        self._state = state.read(path)
        self._deliveries = Deliveries(self._state.events)
        self._faults = Faults()
        self._faults_changed = threading.Event()
        self.inbox = Inbox()

    @property
    def buyers(self) -> list[Buyer]:
        """The AWS accounts that have bought or can buy."""
        return list(self._state.buyers)

    @property
    def purchases(self) -> list[Purchase]:
        """Every purchase, the latest first."""
        return self._state.purchases[::-1]

    @property
    def faults(self) -> Faults:
        """What goes wrong at present. Setting it ends the waits that a slow AWS has under way."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self._lock:
            self._faults = faults
            self._faults_changed.set()
            self._faults_changed = threading.Event()

    def buy(self, order: Order) -> Purchase:
        """Return the purchase that the order makes.

        Raises:
            UnknownProduct: no product here has that code.
        """
        product = self.products.get(order.product_code)
        if product is None:
            raise UnknownProduct(order.product_code)
        with self._lock:
            buyer = self._buyer(order)
            purchase = purchases.fulfil(order, product, buyer)
            self._state.purchases.append(purchase)
            self._tell("subscribe", order.delivery, purchase, purchase, purchase.bought_at)
        return purchase

    def act(self, purchase: Purchase, action: str, **options: Any) -> list[Event]:
        """Let something happen to a purchase, and return the events that it causes, in the order they happened.

        Options are `delivery`, `new_license` and `entitlements`, as in the JSON API.

        Raises:
            ValidationError: there is no such action, or it has no such option.
            NoEntitlements, NotPossible: it cannot happen to that purchase, or not now.
        """
        act = Act.model_validate({"action": action, **options})
        with self._lock:
            before = self.purchase(purchase.id)
            latest = events.latest_of(before, self._state.events)
            began = notifications.began_at(action, latest, datetime.now(UTC))
            after = lives.lived(before, act, self.pricing(before), began)
            self._state.purchases[self._state.purchases.index(before)] = after
            return self._tell(action, act.delivery, before, after, began)

    def pricing(self, purchase: Purchase) -> Pricing:
        """Return what the purchase's buyer pays for; a product no longer sold here counts as paid by usage."""
        product = self.products.get(purchase.product_code)
        return product.pricing if product else "subscription"

    @property
    def queue(self) -> EventsQueue:
        """The queue that events are sent to."""
        return self._deliveries.queue

    def events(self, purchase: Purchase | None = None) -> list[Event]:
        """Return the events of one purchase or of all, as they happened, each with how far it has come by now."""
        with self._lock:
            return self._copied(self._deliveries.seen(purchase.id if purchase else None))

    def deliver(self, event_id: str) -> Event:
        """Send an event that is held back, or send another one again.

        Raises:
            UnknownEvent: there is none with that id.
        """
        with self._lock:
            event = self._deliveries.event(event_id)
            self._deliveries.send(event)
            self._keep()
            return event.model_copy(deep=True)

    def release(self, purchase: Purchase | None = None, sequence: Sequence = "as_happened") -> list[Event]:
        """Send what is held back, of one purchase or of all, and return it as it was sent."""
        with self._lock:
            sent = self._deliveries.release(purchase.id if purchase else None, sequence)
            self._keep()
            return self._copied(sent)

    def purchase(self, purchase_id: UUID) -> Purchase:
        """Return one purchase.

        Raises:
            UnknownPurchase: there is none with that id.
        """
        found = next((purchase for purchase in self.purchases if purchase.id == purchase_id), None)
        if found is None:
            raise UnknownPurchase(purchase_id)
        return found

    def mint(self, purchase: Purchase, lifetime: timedelta = tokens.LIFETIME) -> str:
        """Return a fresh registration token for a purchase. With no lifetime it has expired already."""
        return tokens.mint(self.seal, purchase.id, lifetime)

    def redeem(self, token: str) -> Purchase:
        """Return the purchase a registration token stands for, as often as it is asked.

        Raises:
            InvalidToken, ExpiredToken: as AWS refuses it.
        """
        return self.purchase(tokens.read(self.seal, token))

    @property
    def seal(self) -> bytes:
        """The key that nobody else has: what is sealed with it comes from this sandbox."""
        return bytes.fromhex(self._state.token_key)

    def linger(self) -> None:
        """Wait as long as a slow AWS would; a change of the faults ends the wait."""
        self._faults_changed.wait(self._faults.slow)

    def throttles(self) -> bool:
        """Return whether this call is one of those to be throttled, and count it."""
        with self._lock:
            left = self._faults.throttled
            self._faults = self._faults.model_copy(update={"throttled": max(left - 1, 0)})
        return left > 0

    def reset(self) -> None:
        """Forget every purchase, event, token, fault and letter."""
        with self._lock:
            # With its new key, every token minted so far is invalid.
            self._state = State()
            self._deliveries.forget(self._state.events)
            self._keep()
        self.faults = Faults()
        self.inbox.forget()

    def _buyer(self, order: Order) -> Buyer:
        known = {buyer.account_id: buyer for buyer in self._state.buyers}
        if order.account_id in known:
            return known[order.account_id]
        buyer = purchases.new_buyer(order.account_name, order.account_id)
        self._state.buyers.append(buyer)
        return buyer

    def keep(self) -> None:
        """Keep what is known by now, how far each event has come included."""
        with self._lock:
            self._keep()

    def _tell(self, action: str, delivery: Delivery, before: Purchase, after: Purchase, began: datetime) -> list[Event]:
        caused = notifications.caused(action, before, after, self.pricing(after), began)
        self._deliveries.take(caused, delivery)
        self._keep()
        return self._copied(caused)

    def _copied(self, found: list[Event]) -> list[Event]:
        # Whoever asked shall not see an event change under their hands.
        return [event.model_copy(deep=True) for event in found]

    def _keep(self) -> None:
        if self._path is not None:
            self._deliveries.seen()
            kept.keep(self._state, self._path)
