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
REFUSED_SECONDS = 60
# A second click, the back button, a second tab. AWS says the same of a token for hours, but we need not keep who it is.
RESOLVED_SECONDS = 30
MOST_RESOLVED = 2_000

# One count tells both: processes that were refused at the same time add up to the same verdict.
INVALID, EXPIRED = 1, 1_000_000
REMEMBERED = "Remembered"


class Judged:
    """What AWS said of tokens lately: customers in this process, refusals where the counts are kept."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._lock = threading.Lock()
        self._asked: dict[str, Future[Customer]] = {}
        self._resolved: OrderedDict[str, tuple[Customer, float]] = OrderedDict()

    def remembers(self, token: str) -> bool:
        """Return whether a verdict on the token is at hand."""
        digest = _digest(token)
        return self._customer(digest) is not None or self._counters.get(_refusal(digest)) > 0

    def once(self, token: str, deadline: float, ask: Callable[[], "Customer"]) -> "Customer":
        """Return the customer from memory, from whoever is asking AWS just now, or else by asking.

        Waits until the deadline on the monotonic clock. What failed for one is not asked again for those who waited
        with it; their exceptions, and those out of the memory, are marked as remembered.

        Raises:
            MarketplaceUnavailable: another's call to AWS did not end in time.
            InvalidToken, ExpiredToken: AWS refused the token just now, or a little while ago.
            What `ask` raises.
        """
        digest = _digest(token)
        with self._lock:
            call = self._asked.get(digest)
            first = call is None
            if call is None:
                call = self._asked[digest] = Future()
        return self._lead(digest, call, ask) if first else _follow(call, deadline)

    def _lead(self, digest: str, call: "Future[Customer]", ask: Callable[[], "Customer"]) -> "Customer":
        try:
            customer = self._recall(digest) or self._judge(digest, ask)
            call.set_result(customer)
        except MarketplaceError as error:
            call.set_exception(error)
            raise
        finally:
            # Nobody waits for a thread that died.
            if not call.done():
                call.set_exception(MarketplaceUnavailable("Abandoned"))
            with self._lock:
                del self._asked[digest]
        return customer

    def _recall(self, digest: str) -> "Customer | None":
        customer = self._customer(digest)
        if customer is None and (verdict := self._counters.get(_refusal(digest))):
            raise _remembered(ExpiredToken if verdict >= EXPIRED else InvalidToken, REMEMBERED)
        return customer

    def _judge(self, digest: str, ask: Callable[[], "Customer"]) -> "Customer":
        try:
            customer = ask()
        except (InvalidToken, ExpiredToken) as error:
            verdict = EXPIRED if isinstance(error, ExpiredToken) else INVALID
            self._counters.add(_refusal(digest), REFUSED_SECONDS, verdict)
            raise
        now = time.time()
        with self._lock:
            self._resolved[digest] = customer, now + RESOLVED_SECONDS
            self._forget(now)
        return customer

    def _customer(self, digest: str) -> "Customer | None":
        customer, until = self._resolved.get(digest, (None, 0.0))
        return customer if until > time.time() else None

    def _forget(self, now: float) -> None:
        # All are kept equally long: the oldest stand in front.
        while len(self._resolved) > MOST_RESOLVED or next(iter(self._resolved.values()))[1] <= now:
            self._resolved.popitem(last=False)


def _follow(call: "Future[Customer]", deadline: float) -> "Customer":
    try:
        return call.result(max(deadline - time.monotonic(), 0))
    except TimeoutError as error:
        raise MarketplaceUnavailable("TimeBudgetExceeded") from error
    except MarketplaceError as error:
        raise _remembered(type(error), error.code) from error


def _remembered(kind: type[MarketplaceError], code: str) -> MarketplaceError:
    error = kind(code)
    error.remembered = True
    return error


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _refusal(digest: str) -> str:
    return f"refused-token/{digest}"
