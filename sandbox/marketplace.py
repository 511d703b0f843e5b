"""All that the pretend AWS Marketplace knows: products, buyers, purchases, events and faults."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from app.config.products import Product
from sandbox import action_events, actions, events, purchases, registration_tokens, state, state_file
from sandbox.actions import ActionRequest
from sandbox.deliveries import Deliveries, ReleaseOrder
from sandbox.entitlements import Pricing
from sandbox.events import Event
from sandbox.faults import Faults
from sandbox.inbox import Inbox
from sandbox.purchases import Buyer, DeliveryMode, Order, Purchase
from sandbox.queue import EventsQueue
from sandbox.state import State


class UnknownProduct(LookupError):
    """The sandbox does not sell the product that an order names."""


class UnknownPurchase(LookupError):
    """The sandbox holds no such purchase."""


class Marketplace:
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
        self._state = state.load(path)
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
            buyer = self._find_or_create_buyer(order)
            purchase = purchases.create(order, product, buyer)
            self._state.purchases.append(purchase)
            self._publish("subscribe", order.delivery, purchase, purchase, purchase.bought_at)
        return purchase

    def apply_action(self, purchase: Purchase, action: str, **options: Any) -> list[Event]:
        """Let something happen to a purchase, and return the events that it causes, in the order they happened.

        Options are `delivery`, `new_license` and `entitlements`, as in the JSON API.

        Raises:
            ValidationError: there is no such action, or it has no such option.
            NoEntitlements, NotPossible: it cannot happen to that purchase, or not now.
        """
        act = ActionRequest.model_validate({"action": action, **options})
        with self._lock:
            before = self.get_purchase(purchase.id)
            latest = events.latest_event_time(before, self._state.events)
            began = action_events.start_time(action, latest, datetime.now(UTC))
            after = actions.apply(before, act, self.pricing(before), began)
            self._state.purchases[self._state.purchases.index(before)] = after
            return self._publish(action, act.delivery, before, after, began)

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
            return self._copies_of(self._deliveries.refreshed_events(purchase.id if purchase else None))

    def deliver(self, event_id: str) -> Event:
        """Send an event that is held back, or send another one again.

        Raises:
            UnknownEvent: there is none with that id.
        """
        with self._lock:
            event = self._deliveries.get_event(event_id)
            self._deliveries.send(event)
            self._save()
            return event.model_copy(deep=True)

    def release(self, purchase: Purchase | None = None, order: ReleaseOrder = "as_happened") -> list[Event]:
        """Send what is held back, of one purchase or of all, and return it as it was sent."""
        with self._lock:
            sent = self._deliveries.release(purchase.id if purchase else None, order)
            self._save()
            return self._copies_of(sent)

    def get_purchase(self, purchase_id: UUID) -> Purchase:
        """Return one purchase.

        Raises:
            UnknownPurchase: there is none with that id.
        """
        found = next((purchase for purchase in self.purchases if purchase.id == purchase_id), None)
        if found is None:
            raise UnknownPurchase(purchase_id)
        return found

    def mint_token(self, purchase: Purchase, lifetime: timedelta = registration_tokens.LIFETIME) -> str:
        """Return a fresh registration token for a purchase. With no lifetime it has expired already."""
        return registration_tokens.mint(self.signing_key, purchase.id, lifetime)

    def resolve_token(self, token: str) -> Purchase:
        """Return the purchase a registration token stands for, as often as it is asked.

        Raises:
            InvalidToken, ExpiredToken: as AWS refuses it.
        """
        return self.get_purchase(registration_tokens.verify(self.signing_key, token))

    @property
    def signing_key(self) -> bytes:
        """The key that nobody else has: what is sealed with it comes from this sandbox."""
        return bytes.fromhex(self._state.token_key)

    def wait_if_slow(self) -> None:
        """Wait as long as a slow AWS would; a change of the faults ends the wait."""
        self._faults_changed.wait(self._faults.slow)

    def consume_throttle(self) -> bool:
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
            self._deliveries.reset(self._state.events)
            self._save()
        self.faults = Faults()
        self.inbox.clear()

    def _find_or_create_buyer(self, order: Order) -> Buyer:
        known = {buyer.account_id: buyer for buyer in self._state.buyers}
        if order.account_id in known:
            return known[order.account_id]
        buyer = purchases.new_buyer(order.account_name, order.account_id)
        self._state.buyers.append(buyer)
        return buyer

    def save(self) -> None:
        """Keep what is known by now, how far each event has come included."""
        with self._lock:
            self._save()

    def _publish(
        self, action: str, delivery: DeliveryMode, before: Purchase, after: Purchase, started_at: datetime
    ) -> list[Event]:
        caused = action_events.build(action, before, after, self.pricing(after), started_at)
        self._deliveries.deliver(caused, delivery)
        self._save()
        return self._copies_of(caused)

    def _copies_of(self, found: list[Event]) -> list[Event]:
        # Whoever asked shall not see an event change under their hands.
        return [event.model_copy(deep=True) for event in found]

    def _save(self) -> None:
        if self._path is not None:
            self._deliveries.refreshed_events()
            state_file.save(self._state, self._path)
