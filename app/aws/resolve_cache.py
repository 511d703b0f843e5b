"""Caches what ResolveCustomer answered for a token, and merges concurrent calls for one token into one.

Clicks on the same link cost one call to AWS. Tokens are stored as their SHA-256, never in clear.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from hashlib import sha256

from cachetools import TTLCache

from app.aws.customer import Customer
from app.errors import ExpiredToken, InvalidToken, MarketplaceError, MarketplaceUnavailable
from app.security.rate_counters import Counters

# Covers a buyer who presses again and again. A seller who repairs the set-up waits no longer than this.
REFUSED_TTL_SECONDS = 60
# Covers a second click, the back button, a second tab. AWS resolves a token for hours; ids leave memory sooner.
RESOLVED_TTL_SECONDS = 30
MAX_RESOLVED = 2_000


class ResolveCache:
    """Resolved customers, cached in this process, and refused tokens, cached where the rate counters are.

    With Redis, all machines share the refusals.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        # Guards both: a TTLCache changes on reads too.
        self._lock = threading.Lock()
        self._in_flight: dict[str, Future[Customer]] = {}
        self._customers: TTLCache[str, Customer] = TTLCache(MAX_RESOLVED, RESOLVED_TTL_SECONDS, time.time)

    def contains(self, token: str) -> bool:
        """Return whether the token's customer or refusal is cached."""
        digest = _token_digest(token)
        with self._lock:
            is_resolved = digest in self._customers
        return is_resolved or self._get_refusal(digest) is not None

    def get_or_resolve(self, token: str, deadline: float, resolve: Callable[[], Customer]) -> Customer:
        """Return the customer from the cache, from a call to AWS that is under way, or else from a call to `resolve`.

        Waits until the deadline on the monotonic clock. A call that fails, fails for all callers that wait for it.
        Their errors, and those from the cache, have `from_cache` set.

        Raises:
            MarketplaceUnavailable: the call that was under way did not end in time.
            InvalidToken, ExpiredToken: AWS refused the token, now or in the last minute.
            What `resolve` raises.
        """
        digest = _token_digest(token)
        own_call: Future[Customer] = Future()
        with self._lock:
            call = self._in_flight.setdefault(digest, own_call)
        if call is own_call:
            return self._resolve_as_leader(digest, call, resolve)
        return _wait_for_leader(call, deadline)

    def _resolve_as_leader(self, digest: str, call: Future[Customer], resolve: Callable[[], Customer]) -> Customer:
        try:
            customer = self._load(digest, resolve)
            call.set_result(customer)
        except MarketplaceError as error:
            call.set_exception(error)
            raise
        finally:
            # After any other exception, the waiting threads would wait until their deadlines.
            if not call.done():
                call.set_exception(MarketplaceUnavailable("Abandoned"))
            with self._lock:
                del self._in_flight[digest]
        return customer

    def _load(self, digest: str, resolve: Callable[[], Customer]) -> Customer:
        with self._lock:
            customer = self._customers.get(digest)
        if customer is not None:
            return customer
        if refusal := self._get_refusal(digest):
            raise _cached_error(refusal, "Cached")
        try:
            customer = resolve()
        except (ExpiredToken, InvalidToken) as error:
            if isinstance(error, ExpiredToken):
                self._counters.increment(_expiry_key(digest), REFUSED_TTL_SECONDS)
            self._counters.increment(_refusal_key(digest), REFUSED_TTL_SECONDS)
            raise
        with self._lock:
            self._customers[digest] = customer
        return customer

    def _get_refusal(self, digest: str) -> type[MarketplaceError] | None:
        # One read where the token was not refused: with Redis, the buyer waits for each.
        if not self._counters.get(_refusal_key(digest)):
            return None
        # ExpiredToken wins where processes that asked at the same time got different errors.
        return ExpiredToken if self._counters.get(_expiry_key(digest)) else InvalidToken


def _wait_for_leader(call: Future[Customer], deadline: float) -> Customer:
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


def _expiry_key(digest: str) -> str:
    return f"expired-token/{digest}"
