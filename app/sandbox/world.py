"""All that the pretend AWS Marketplace knows: products, buyers, purchases and faults."""

import os
import secrets
import threading
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, Field, ValidationError

from app.products import Product
from app.sandbox import purchases, tokens
from app.sandbox.faults import Faults
from app.sandbox.purchases import Buyer, Order, Purchase

FIRST_BUYERS = (
    Buyer(account_id="111122223333", name="Juniper & Lark Studio"),
    Buyer(account_id="044455556666", name="Quillfeather Press"),
    Buyer(account_id="777788889999", name="Ostrava Robotics"),
)


class UnknownProduct(LookupError):
    """The sandbox does not sell the product that an order names."""


class UnknownPurchase(LookupError):
    """The sandbox holds no such purchase."""


class State(BaseModel):
    """What outlives a restart."""

    token_key: str = Field(default_factory=secrets.token_hex)
    buyers: list[Buyer] = list(FIRST_BUYERS)
    purchases: list[Purchase] = []


class World:
    """One pretend AWS Marketplace, safe to share between threads.

    With a path, purchases are kept in that JSON file and found there by the next World. Faults are not kept:
    after a restart everything works.

    Raises:
        SystemExit: the file is there but is not one that a World wrote.
    """

    def __init__(self, products: Iterable[Product], path: Path | None = None) -> None:
        self.products = {product.code: product for product in products}
        self._path = path
        self._lock = threading.Lock()
        self._state = _read(path)
        self._faults = Faults()
        self._faults_changed = threading.Event()

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
            self._keep()
        return purchase

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
        return tokens.mint(self._token_key, purchase.id, lifetime)

    def redeem(self, token: str) -> Purchase:
        """Return the purchase a registration token stands for, as often as it is asked.

        Raises:
            InvalidToken, ExpiredToken: as AWS refuses it.
        """
        return self.purchase(tokens.read(self._token_key, token))

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
        """Forget every purchase, token and fault."""
        with self._lock:
            # With its new key, every token minted so far is invalid.
            self._state = State()
            self._keep()
        self.faults = Faults()

    @property
    def _token_key(self) -> bytes:
        return bytes.fromhex(self._state.token_key)

    def _buyer(self, order: Order) -> Buyer:
        known = {buyer.account_id: buyer for buyer in self._state.buyers}
        if order.account_id in known:
            return known[order.account_id]
        buyer = purchases.new_buyer(order.account_name, order.account_id)
        self._state.buyers.append(buyer)
        return buyer

    def _keep(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and then renamed: a stop half way leaves the old file whole.
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        beside.write_text(self._state.model_dump_json(indent=2), encoding="utf-8")
        beside.replace(self._path)


def _read(path: Path | None) -> State:
    if path is None or not path.exists():
        return State()
    try:
        return State.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise SystemExit(f"{path} is not the sandbox's state. Delete it to start with no purchases.") from None
