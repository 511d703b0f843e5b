"""Counts that start anew after a while: in this process or, where Redis is set, for all machines together.

Redis is spoken to with the storage of Flask-Limiter (its library `limits`). The rest of Flask-Limiter is left out: it
costs every page three times what Flask itself does, and its storage in memory starts a thread for each count.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from flask import Flask, current_app

from app.config.settings import Settings, SettingsError

if TYPE_CHECKING:
    from limits.storage import RedisStorage  # slow to import, and so is redis

log = structlog.get_logger()

T = TypeVar("T")

# Under a flood from many addresses the least used counts go first; so many fill a few megabytes.
MAX_COUNTS = 10_000
# Addresses are kept for little longer than they count.
PURGE_INTERVAL_SECONDS = 60
# A buyer waits for both together once, when Redis goes away.
CONNECT_TIMEOUT_SECONDS = 0.25
READ_TIMEOUT_SECONDS = 0.25
# While Redis is away, a thread of its own looks for it so often, and no buyer waits.
RECONNECT_INTERVAL_SECONDS = 5


class Counters:
    """Counts kept in this process."""

    SCOPE = "in each process for itself"

    def __init__(self, max_counts: int = MAX_COUNTS) -> None:
        self._max_counts = max_counts
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._purged_at = time.time()

    def get(self, key: str) -> int:
        """Return the count, 0 where it has started anew since."""
        count, until = self._counts.get(key, (0, 0.0))
        return count if until > time.time() else 0

    def increment(self, key: str, window_seconds: int, amount: int = 1) -> int:
        """Add to the count and return it; it starts anew so many seconds after its first."""
        now = time.time()
        with self._lock:
            if now - self._purged_at >= PURGE_INTERVAL_SECONDS:
                self._purge_expired(now)
            count, until = self._counts.pop(key, (0, 0.0))
            if until <= now:
                count, until = 0, now + window_seconds
            self._counts[key] = count + amount, until
            if len(self._counts) > self._max_counts:
                self._counts.popitem(last=False)
        return count + amount

    def seconds_until_reset(self, key: str) -> float:
        """Return in how many seconds the count starts anew."""
        return max(self._counts.get(key, (0, 0.0))[1] - time.time(), 0)

    def is_available(self) -> bool:
        """Return whether the counts are kept where they are meant to be, asking anew."""
        return True

    def _purge_expired(self, now: float) -> None:
        self._purged_at = now
        for key in [key for key, (_, until) in self._counts.items() if until <= now]:
            del self._counts[key]


class RedisCounters(Counters):
    """Counts kept in Redis; in this process while Redis is away."""

    SCOPE = "in Redis, for all machines together"

    def __init__(self, storage: "RedisStorage") -> None:
        from limits.errors import StorageError  # noqa: PLC0415  # slow to import

        super().__init__()
        self._storage = storage
        self._redis_errors = (StorageError, OSError)
        self._reconnect_lock = threading.Lock()
        self._is_unavailable = False
        self._reconnect_at = 0.0

    def get(self, key: str) -> int:
        """Return the count, 0 where it has started anew since."""
        return self._redis_or_memory(self._storage.get, super().get, key)

    def increment(self, key: str, window_seconds: int, amount: int = 1) -> int:
        """Add to the count and return it; it starts anew so many seconds after its first."""
        return self._redis_or_memory(self._storage.incr, super().increment, key, window_seconds, amount)

    def seconds_until_reset(self, key: str) -> float:
        """Return in how many seconds the count starts anew."""
        return self._redis_or_memory(self._redis_seconds_until_reset, super().seconds_until_reset, key)

    def is_available(self) -> bool:
        """Return whether Redis answers, asking anew."""
        return bool(self._storage.check())

    def _redis_seconds_until_reset(self, key: str) -> float:
        return max(self._storage.get_expiry(key) - time.time(), 0)

    def _redis_or_memory(self, in_redis: Callable[..., T], in_memory: Callable[..., T], *arguments: Any) -> T:
        if not self._is_unavailable:
            try:
                return in_redis(*arguments)
            except self._redis_errors as error:
                self._mark_unavailable(error)
        elif time.time() >= self._reconnect_at and self._reconnect_lock.acquire(blocking=False):
            threading.Thread(target=self._try_reconnect, name="look-for-redis", daemon=True).start()
        return in_memory(*arguments)

    def _mark_unavailable(self, error: Exception) -> None:
        with self._lock:
            news, self._is_unavailable = not self._is_unavailable, True
            self._reconnect_at = time.time() + RECONNECT_INTERVAL_SECONDS
        if news:
            log.warning("redis.unavailable", error=type(error.__cause__ or error).__name__)

    def _try_reconnect(self) -> None:
        try:
            if self._storage.check():
                self._is_unavailable = False
                log.info("redis.recovered")
        finally:
            self._reconnect_at = time.time() + RECONNECT_INTERVAL_SECONDS
            self._reconnect_lock.release()


def init_app(app: Flask, settings: Settings) -> None:
    """Keep the application's counts; Redis is asked for the first time when the first buyer comes."""
    uri = settings.ratelimit_storage_uri
    app.extensions["rate_counters"] = Counters() if uri == "memory://" else RedisCounters(_redis_storage(uri))


def current() -> Counters:
    """Return the running application's counts."""
    counters: Counters = current_app.extensions["rate_counters"]
    return counters


def _redis_storage(uri: str) -> "RedisStorage":
    from limits.storage import RedisStorage  # noqa: PLC0415  # slow to import, and so is redis
    from redis import ConnectionPool, backoff, exceptions, retry  # noqa: PLC0415

    # A connection that idled too long is replaced at once. redis-py's own way would have a buyer wait for seconds.
    at_once = retry.Retry(backoff.NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,))
    times = {"socket_connect_timeout": CONNECT_TIMEOUT_SECONDS, "socket_timeout": READ_TIMEOUT_SECONDS}
    try:
        pool = ConnectionPool.from_url(uri, retry=at_once, **times)
        # Makes no connection yet, but finds a parameter that there is not.
        pool.make_connection()
    except (TypeError, ValueError) as error:
        raise SettingsError(f"RATELIMIT_STORAGE_URI: {error}.") from None
    return RedisStorage(uri, pool, key_prefix="foyer", wrap_exceptions=True)
