"""The sandbox's clock as other processes read it: over HTTP, at most once a second."""

import http.client
import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

CLOCK_PATH = "/_sandbox/clock"
INTERVAL_SECONDS = 1.0
# A page may wait this long for a sandbox that accepts connections and does not answer: to connect, and to read.
TIMEOUT_SECONDS = 0.1
FIRST_TIMEOUT_SECONDS = 2.0


class RemoteClock:
    """The clock of the sandbox on a port of this machine. Thread-safe.

    While the sandbox does not answer, the clock goes on as far ahead as it last was.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._ahead = timedelta()
        self._read_at = float("-inf")

    def now(self) -> datetime:
        """Return the sandbox's time in UTC."""
        # One thread reads; the others take what is known.
        if time.monotonic() - self._read_at >= INTERVAL_SECONDS and self._lock.acquire(blocking=False):
            try:
                self.read()
            finally:
                self._lock.release()
        return datetime.now(UTC) + self._ahead

    def read(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Read how far the sandbox's clock is ahead; if it does not answer, keep what is known."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout_seconds)
        try:
            connection.request("GET", CLOCK_PATH)
            self._ahead = timedelta(seconds=float(json.loads(connection.getresponse().read())["ahead_seconds"]))
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            # Another server may have the port. The time is good enough until the sandbox answers again.
            pass
        finally:
            connection.close()
            self._read_at = time.monotonic()


def from_environment(environ: Mapping[str, str] = os.environ) -> RemoteClock:
    """Return the clock of the sandbox of `make run`, read once."""
    clock = RemoteClock(int(environ.get("AWS_PORT", "8002")))
    clock.read(FIRST_TIMEOUT_SECONDS)
    return clock
