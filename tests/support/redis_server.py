"""A fake Redis server on this machine, and the rate counters of an application that uses one."""

import threading

from fakeredis import TcpFakeServer

from app import create_app
from app.security import rate_counters
from app.security.rate_counters import Counters, RedisCounters
from tests.support import factories

# Foyer waits 0.25 s for Redis, which a busy machine exceeds; Foyer would then count in memory, and the test would be
# about something else.
TIMEOUT_QUERY = "?socket_timeout=10&socket_connect_timeout=10"


class RedisServer:
    """A fake Redis for the time of a `with` block, which yields its URL."""

    def __init__(self, port: int = 0) -> None:
        self._server = TcpFakeServer(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> str:
        self._thread.start()
        return f"redis://127.0.0.1:{self._server.server_address[1]}/0{TIMEOUT_QUERY}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def counters_for(uri: str) -> Counters:
    """Return the counters of a new application with that storage."""
    with factories.open_app(create_app(factories.settings(ratelimit_storage_uri=uri))) as app, app.app_context():
        return rate_counters.current()


def redis_counters(uri: str) -> RedisCounters:
    """Return the counters of a new application in the Redis at that URI."""
    counters = counters_for(uri)
    assert isinstance(counters, RedisCounters)
    return counters


def wait_for_reconnect() -> None:
    """Wait until the background check of Redis has ended."""
    for thread in threading.enumerate():
        if thread.name == "reconnect-redis":
            thread.join(10)
