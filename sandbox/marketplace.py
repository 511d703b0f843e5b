"""The pretend AWS Marketplace: products, buyers, purchases, events, usage, mails and faults."""

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from app.config.products import Product
from sandbox import action_events, actions, events, purchases, registration_tokens, state, state_file
from sandbox.action_events import ActionTime
from sandbox.actions import ActionRequest
from sandbox.clock import Clock
from sandbox.current_faults import CurrentFaults
from sandbox.deliveries import Deliveries, ReleaseOrder
from sandbox.entitlements import Pricing
from sandbox.events import Event
from sandbox.faults import Faults
from sandbox.inbox import Inbox
from sandbox.metering import dimensions
from sandbox.metering.usage import Usage
from sandbox.purchases import Buyer, DeliveryMode, Order, Purchase
from sandbox.queue import EventsQueue
from sandbox.state import State


class UnknownProduct(LookupError):
    """The marketplace sells no product with that code."""


class UnknownPurchase(LookupError):
    """The marketplace has no purchase with that id."""


class Marketplace:
    """One pretend AWS Marketplace. Thread-safe.

    With a path, purchases, events, usage and the clock are saved to that JSON file and loaded again at the next start.
    Faults, mails and the calls of BatchMeterUsage are not saved.

    Raises:
        SystemExit: the file exists and is not a state file.
    """

    def __init__(self, products: Iterable[Product], path: Path | None = None) -> None:
        self.products = {product.code: product for product in products}
        self._path = path
        self._lock = threading.Lock()
        self._state = state.load(path)
        # Of each purchase in the state, by its id: a test may make thousands.
        self._positions = {purchase.id: position for position, purchase in enumerate(self._state.purchases)}
        self._deliveries = Deliveries(self._state.events)
        self.current_faults = CurrentFaults()
        self.clock = Clock(self._state.clock)
        self.dimensions = dimensions.of_products(self.products.values())
        self.usage = Usage(self._state.usage)
        self.usage.licenses.adopt(self._state.purchases)
        self.inbox = Inbox()
        # By operation, since the start.
        self.call_counts: Counter[str] = Counter()

    @property
    def buyers(self) -> list[Buyer]:
        """The AWS accounts that the order form offers."""
        return list(self._state.buyers)

    @property
    def purchases(self) -> list[Purchase]:
        """Every purchase, latest first."""
        return self._state.purchases[::-1]

    @property
    def faults(self) -> Faults:
        """The faults that are on. Setting them ends every wait of a slow AWS."""
        return self.current_faults.settings

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.current_faults.settings = faults

    def change_faults(self, **changes: object) -> None:
        """Switch these faults on or off, and leave the others as they are."""
        self.faults = Faults.model_validate({**self.faults.model_dump(), **changes})

    def buy(self, order: Order) -> Purchase:
        """Create a purchase, and publish its events.

        Raises:
            UnknownProduct: no product has that code.
        """
        product = self.products.get(order.product_code)
        if product is None:
            raise UnknownProduct(order.product_code)
        with self._lock:
            buyer = self._find_or_create_buyer(order)
            purchase = purchases.create(order, product, buyer, self.clock.now())
            self._state.purchases.append(purchase)
            self._positions[purchase.id] = len(self._state.purchases) - 1
            time = ActionTime(purchase.bought_at, purchase.bought_at)
            self._publish("subscribe", order.delivery, purchase, purchase, time)
        return purchase

    def apply_action(self, purchase: Purchase, action: str, **options: Any) -> list[Event]:
        """Apply an action to a purchase, and return its events in the order they happened.

        Options are `delivery`, `new_license` and `entitlements`, as in the JSON API.

        Raises:
            ValidationError: the action does not exist, or does not accept an option.
            NoEntitlements: the purchase is paid by usage only.
            ActionNotAllowed: the purchase's status does not allow it.
        """
        request = ActionRequest.model_validate({"action": action, **options})
        with self._lock:
            before = self.get_purchase(purchase.id)
            latest = events.latest_event_time(before, self._state.events)
            time = action_events.time_of(action, latest, self.clock.now())
            after = actions.apply(before, request, self.pricing(before), time.started_at)
            self._state.purchases[self._positions[before.id]] = after
            return self._publish(action, request.delivery, before, after, time)

    def pricing(self, purchase: Purchase) -> Pricing:
        """Return the pricing of the purchase's product; one that is no longer sold counts as paid by usage."""
        product = self.products.get(purchase.product_code)
        return product.pricing if product else "subscription"

    @property
    def queue(self) -> EventsQueue:
        """The queue that events are sent to."""
        return self._deliveries.queue

    def events(self, purchase: Purchase | None = None) -> list[Event]:
        """Return the events of one purchase, or of all, in the order they happened, with their current state."""
        with self._lock:
            return _copies(self._deliveries.refreshed_events(purchase.id if purchase else None))

    def deliver(self, event_id: str) -> Event:
        """Send an event: a held one for the first time, any other one again.

        Raises:
            UnknownEvent: there is none with that id.
        """
        with self._lock:
            event = self._deliveries.get_event(event_id)
            self._deliveries.send(event)
            self._save()
            return event.model_copy(deep=True)

    def release(self, purchase: Purchase | None = None, order: ReleaseOrder = "as_happened") -> list[Event]:
        """Send the held events of one purchase, or of all, and return them in the order they were sent."""
        with self._lock:
            sent = self._deliveries.release(purchase.id if purchase else None, order)
            self._save()
            return _copies(sent)

    def get_purchase(self, purchase_id: UUID) -> Purchase:
        """Return one purchase.

        Raises:
            UnknownPurchase: there is none with that id.
        """
        if purchase_id not in self._positions:
            raise UnknownPurchase(purchase_id)
        return self._state.purchases[self._positions[purchase_id]]

    def mint_token(self, purchase: Purchase, lifetime: timedelta = registration_tokens.LIFETIME) -> str:
        """Return a new registration token; with a lifetime of zero it has already expired."""
        return registration_tokens.mint(self.signing_key, purchase.id, lifetime, now=self.clock.now())

    def resolve_token(self, token: str) -> Purchase:
        """Return the purchase of a registration token. A token can be resolved repeatedly.

        Raises:
            InvalidToken: this sandbox did not mint it.
            ExpiredToken: its lifetime is over.
        """
        return self.get_purchase(registration_tokens.verify(self.signing_key, token, now=self.clock.now()))

    @property
    def signing_key(self) -> bytes:
        """The key that signs registration and pagination tokens; each sandbox has its own."""
        return bytes.fromhex(self._state.token_key)

    def count_call(self, operation: str) -> None:
        """Count a call to AWS Marketplace."""
        with self._lock:
            self.call_counts[operation] += 1

    def reset(self) -> None:
        """Delete every purchase, event, token, usage record, fault and mail. The clock never goes back."""
        with self._lock:
            self._positions.clear()
            # The new state has a new signing key, so every token minted before is invalid.
            self._state = State(clock=self._state.clock)
            self._deliveries.reset(self._state.events)
            self.usage.reset(self._state.usage)
            self.dimensions = dimensions.of_products(self.products.values())
            self._save()
        self.faults = Faults()
        self.inbox.clear()

    def save(self) -> None:
        """Write the state file, with the current state of every event."""
        with self._lock:
            self._save()

    def _find_or_create_buyer(self, order: Order) -> Buyer:
        for buyer in self._state.buyers:
            if buyer.account_id == order.account_id:
                return buyer
        buyer = purchases.new_buyer(order.account_name, order.account_id)
        self._state.buyers.append(buyer)
        return buyer

    def _publish(
        self, action: str, delivery: DeliveryMode, before: Purchase, after: Purchase, time: ActionTime
    ) -> list[Event]:
        as_printed = self.faults.printed_forms
        published = action_events.build(action, before, after, self.pricing(after), time, as_printed=as_printed)
        self.usage.licenses.follow(before, after, published)
        self._deliveries.deliver(published, delivery)
        self._save()
        return _copies(published)

    def _save(self) -> None:
        if self._path is not None:
            self._deliveries.refreshed_events()
            state_file.save(self._state, self._path)


def _copies(originals: list[Event]) -> list[Event]:
    # Callers get copies, because a later read of the queue changes the originals.
    return [event.model_copy(deep=True) for event in originals]
