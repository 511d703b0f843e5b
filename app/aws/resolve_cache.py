"""The memory of registration tokens that AWS has just judged: it spares AWS, and makes a double click one call.

Tokens are known here by their SHA-256 only.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from hashlib import sha256
from typing import TYPE_CHECKING

from app.errors import ExpiredToken, InvalidToken, MarketplaceError, MarketplaceUnavailable
from app.security.rate_counters import Counters

if TYPE_CHECKING:
    from app.aws.customer import Customer

# Long enough for whoever presses again and again; a seller who mends the set-up waits no longer than that.
REFUSED_TTL_SECONDS = 60
# A second click, the back button, a second tab. AWS says the same of a token for hours, but we need not keep who it is.
RESOLVED_TTL_SECONDS = 30
MAX_RESOLVED = 2_000

# One count tells both: processes that were refused at the same time add up to the same verdict.
INVALID_INCREMENT, EXPIRED_INCREMENT = 1, 1_000_000
CACHED_CODE = "Remembered"


class ResolveCache:
    """What AWS said of tokens lately: customers in this process, refusals where the counts are kept."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._lock = threading.Lock()
        self._in_flight: dict[str, Future[Customer]] = {}
        self._customers: OrderedDict[str, tuple[Customer, float]] = OrderedDict()

    def contains(self, token: str) -> bool:
        """Return whether a verdict on the token is at hand."""
        digest = _token_digest(token)
        return self._get_customer(digest) is not None or self._counters.get(_refusal_key(digest)) > 0

    def get_or_resolve(self, token: str, deadline: float, resolve: Callable[[], "Customer"]) -> "Customer":
        """Return the customer from memory, from whoever is asking AWS just now, or else by asking.

        Waits until the deadline on the monotonic clock. What failed for one is not asked again for those who waited
        with it; their exceptions, and those out of the memory, are marked as remembered.

        Raises:
            MarketplaceUnavailable: another's call to AWS did not end in time.
            InvalidToken, ExpiredToken: AWS refused the token just now, or a little while ago.
            What `ask` raises.
        """
        digest = _token_digest(token)
        with self._lock:
            call = self._in_flight.get(digest)
            first = call is None
            if call is None:
                call = self._in_flight[digest] = Future()
        return self._resolve_as_leader(digest, call, resolve) if first else _wait_for_leader(call, deadline)

    def _resolve_as_leader(
        self, digest: str, call: "Future[Customer]", resolve: Callable[[], "Customer"]
    ) -> "Customer":
        try:
            customer = self._get_cached(digest) or self._resolve_and_store(digest, resolve)
            call.set_result(customer)
        except MarketplaceError as error:
            call.set_exception(error)
            raise
        finally:
            # Nobody waits for a thread that died.
            if not call.done():
                call.set_exception(MarketplaceUnavailable("Abandoned"))
            with self._lock:
                del self._in_flight[digest]
        return customer

    def _get_cached(self, digest: str) -> "Customer | None":
        customer = self._get_customer(digest)
        if customer is None and (verdict := self._counters.get(_refusal_key(digest))):
            raise _cached_error(ExpiredToken if verdict >= EXPIRED_INCREMENT else InvalidToken, CACHED_CODE)
        return customer

    def _resolve_and_store(self, digest: str, resolve: Callable[[], "Customer"]) -> "Customer":
        try:
            customer = resolve()
        except (InvalidToken, ExpiredToken) as error:
            verdict = EXPIRED_INCREMENT if isinstance(error, ExpiredToken) else INVALID_INCREMENT
            self._counters.increment(_refusal_key(digest), REFUSED_TTL_SECONDS, verdict)
            raise
        now = time.time()
        with self._lock:
            self._customers[digest] = customer, now + RESOLVED_TTL_SECONDS
            self._evict(now)
        return customer

    def _get_customer(self, digest: str) -> "Customer | None":
        customer, until = self._customers.get(digest, (None, 0.0))
        return customer if until > time.time() else None

    def _evict(self, now: float) -> None:
        # All are kept equally long: the oldest stand in front.
        while len(self._customers) > MAX_RESOLVED or next(iter(self._customers.values()))[1] <= now:
            self._customers.popitem(last=False)


def _wait_for_leader(call: "Future[Customer]", deadline: float) -> "Customer":
    try:
        return call.result(max(deadline - time.monotonic(), 0))
    except TimeoutError as error:
        raise MarketplaceUnavailable("TimeBudgetExceeded") from error
    except MarketplaceError as error:
        raise _cached_error(type(error), error.code) from error


def _cached_error(kind: type[MarketplaceError], code: str) -> MarketplaceError:
    error = kind(code)
    error.from_cache = True
    return error


def _token_digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _refusal_key(digest: str) -> str:
    return f"refused-token/{digest}"
