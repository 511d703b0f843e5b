"""Rate counters: counts that are reset when their window ends, in this process or in Redis for all machines.

The Redis storage is that of `limits`, the library behind Flask-Limiter. Flask-Limiter itself would cost every page
three times as much as Flask does, and its in-memory storage starts a thread for each count.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import structlog
from cachetools import TLRUCache
from flask import Flask, current_app

from app.config.settings import Settings, SettingsError
from app.security import redis_errors
from app.security.redis_errors import RedisProblem

log = structlog.get_logger()

T = TypeVar("T")

# These fill a few megabytes. Under a flood from many addresses the least recently used counts are dropped first.
MAX_COUNTS = 10_000
# One buyer waits for the sum of both when Redis becomes unavailable.
CONNECT_TIMEOUT_SECONDS = READ_TIMEOUT_SECONDS = 0.25
# A landing asks Redis several times, one after another. An answer that takes longer than this part of the read timeout
# is slow; once slow answers in a row add up to the whole timeout, Redis counts as unavailable.
SLOW_PART_OF_TIMEOUT = 0.2
PROBE_KEY, PROBE_WINDOW_SECONDS = "probe", 60
# While Redis is unavailable, a background thread checks it this often, and no buyer waits.
RECONNECT_INTERVAL_SECONDS = 5


class Counters:
    """Counts kept in this process. Thread-safe."""

    SCOPE = "in each process for itself"

    def __init__(self, max_counts: int = MAX_COUNTS) -> None:
        self._lock = threading.Lock()
        # By key, each count and the time of its reset, at which the cache drops it.
        self._counts: TLRUCache[str, tuple[int, float], float] = TLRUCache(
            max_counts, lambda _key, entry, _now: entry[1], time.time
        )
        self._under_way: Counter[str] = Counter()

    def get(self, key: str) -> int:
        """Return the count since the last reset."""
        with self._lock:
            return self._counts.get(key, (0, 0.0))[0]

    def increment(self, key: str, window_seconds: int) -> int:
        """Add 1 and return the count. The first increment starts a window, at whose end the count is reset to 0."""
        with self._lock:
            count, reset_at = self._counts.get(key) or (0, time.time() + window_seconds)
            self._counts[key] = count + 1, reset_at
        return count + 1

    @contextmanager
    def hold(self, keys: Collection[str]) -> Iterator[None]:
        """Count the `with` block as under way, for each key, until it ends. Always in this process."""
        held = Counter(list(keys))
        with self._lock:
            self._under_way += held
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= held

    def under_way(self, key: str) -> int:
        """Return how many blocks hold the key now."""
        return self._under_way[key]

    def seconds_until_reset(self, key: str) -> float:
        """Return the seconds until the count is 0 again."""
        return max(self._reset_at(key) - time.time(), 0)

    def _reset_at(self, key: str) -> float:
        with self._lock:
            return self._counts.get(key, (0, 0.0))[1]

    def find_problem(self) -> RedisProblem | None:
        """Return why counts are not kept in the configured storage; None where they are. Tries it each time."""
        return None


class RedisCounters(Counters):
    """Counts kept in Redis, and in this process while Redis is unavailable."""

    SCOPE = "in Redis, for all machines together"

    def __init__(self, uri: str) -> None:
        # Slow to import.
        from limits.errors import StorageError  # noqa: PLC0415
        from limits.storage import RedisStorage  # noqa: PLC0415
        from redis import ConnectionPool, backoff, exceptions, retry  # noqa: PLC0415

        from app.security import redis_connections  # noqa: PLC0415

        super().__init__()
        # Replaces a connection that idled too long at once. With redis-py's default backoff a buyer waits for seconds.
        retry_at_once = retry.Retry(backoff.NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,))
        timeouts = {"socket_connect_timeout": CONNECT_TIMEOUT_SECONDS, "socket_timeout": READ_TIMEOUT_SECONDS}
        try:
            # Without `driver_info` a new connection needs two answers of Redis less.
            pool = ConnectionPool.from_url(uri, retry=retry_at_once, driver_info=None, **timeouts)
            pool.connection_class = redis_connections.bounded(pool.connection_class)
            # Does not connect yet, but raises TypeError for an unknown parameter.
            pool.make_connection()
        except (TypeError, ValueError) as error:
            raise SettingsError(f"RATELIMIT_STORAGE_URI: {error}.") from None
        self._storage = RedisStorage(uri, pool, key_prefix="foyer", wrap_exceptions=True)
        self._redis_errors = (StorageError, OSError)
        # The URI may set another.
        self._read_timeout_seconds = float(pool.connection_kwargs["socket_timeout"])
        self._slow_seconds = 0.0
        self._reconnect_lock = threading.Lock()
        self._is_unavailable = False
        self._reconnect_at = 0.0

    def get(self, key: str) -> int:
        """Return the count since the last reset."""
        return self._redis_or_memory(self._storage.get, super().get, key)

    def increment(self, key: str, window_seconds: int) -> int:
        """Add 1 and return the count, as `Counters.increment` does."""
        return self._redis_or_memory(self._storage.incr, super().increment, key, window_seconds)

    def _reset_at(self, key: str) -> float:
        return self._redis_or_memory(self._storage.get_expiry, super()._reset_at, key)

    def find_problem(self) -> RedisProblem | None:
        """Count in Redis, and return why that failed or was slow. A Redis that is full still answers a PING."""
        try:
            # The first count may have to connect.
            self._storage.incr(PROBE_KEY, PROBE_WINDOW_SECONDS)
            started = time.monotonic()
            self._storage.incr(PROBE_KEY, PROBE_WINDOW_SECONDS)
        except self._redis_errors as error:
            return redis_errors.describe(error)
        seconds = time.monotonic() - started
        return RedisProblem("slow", f"{seconds:.2f} s for one count") if self._is_slow(seconds) else None

    def _redis_or_memory(self, in_redis: Callable[..., T], in_memory: Callable[..., T], *arguments: Any) -> T:
        if not self._is_unavailable:
            started = time.monotonic()
            try:
                count = in_redis(*arguments)
            except self._redis_errors as error:
                self._set_unavailable(redis_errors.describe(error), type(error.__cause__ or error).__name__)
            else:
                self._add_slowness(time.monotonic() - started)
                return count
        elif time.time() >= self._reconnect_at and self._reconnect_lock.acquire(blocking=False):
            threading.Thread(target=self._try_reconnect, name="reconnect-redis", daemon=True).start()
        return in_memory(*arguments)

    def _is_slow(self, seconds: float) -> bool:
        return seconds > self._read_timeout_seconds * SLOW_PART_OF_TIMEOUT

    def _add_slowness(self, seconds: float) -> None:
        with self._lock:
            self._slow_seconds = self._slow_seconds + seconds if self._is_slow(seconds) else 0
            slow_seconds = self._slow_seconds
        if slow_seconds > self._read_timeout_seconds:
            self._set_unavailable(RedisProblem("slow", f"{seconds:.2f} s for one count"), "Slow")

    def _set_unavailable(self, problem: RedisProblem, error_name: str) -> None:
        with self._lock:
            is_news, self._is_unavailable = not self._is_unavailable, True
            self._reconnect_at = time.time() + RECONNECT_INTERVAL_SECONDS
            self._slow_seconds = 0
        if is_news:
            log.warning("redis.unavailable", error=error_name, reason=problem.reason, detail=problem.detail)

    def _try_reconnect(self) -> None:
        try:
            if self.find_problem() is None:
                self._is_unavailable = False
                log.info("redis.recovered")
        finally:
            self._reconnect_at = time.time() + RECONNECT_INTERVAL_SECONDS
            self._reconnect_lock.release()


def init_app(app: Flask, settings: Settings) -> None:
    """Create the application's counters. The first request of a buyer is the first to connect to Redis."""
    uri = settings.ratelimit_storage_uri
    app.extensions["rate_counters"] = Counters() if uri == "memory://" else RedisCounters(uri)


def current() -> Counters:
    """Return the running application's counters."""
    return cast(Counters, current_app.extensions["rate_counters"])
