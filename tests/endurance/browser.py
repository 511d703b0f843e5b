"""A buyer's browser: one kept-alive connection, its cookies, and what became of each request."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from urllib.parse import urlencode

# Longer than anything behind it may take: a request without an answer by then has been forgotten.
RESPONSE_TIMEOUT_SECONDS = 30
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


class ConnectionCut(Exception):
    """The connection ended before the answer was whole."""


@dataclass(frozen=True)
class PageResponse:
    """What the server said: the status, where it leads, and the page."""

    status: int
    location: str
    page: str


class Browser:
    """One buyer's way to the server; after a cut it connects again by itself."""

    def __init__(self, port: int, seconds: float = RESPONSE_TIMEOUT_SECONDS) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
        self._cookies = SimpleCookie()
        self.sent_at = math.inf

    def get(self, path: str) -> PageResponse:
        """Return the answer to a visit."""
        self.send("GET", path)
        return self.receive()

    def post(self, path: str, fields: dict[str, str]) -> PageResponse:
        """Return the answer to a form that was sent."""
        self.send("POST", path, fields)
        return self.receive()

    def send(self, method: str, path: str, fields: dict[str, str] | None = None) -> None:
        """Send a request; `sent` is the moment from which all of it was on its way."""
        self.sent_at = math.inf
        body = urlencode(fields).encode() if fields else None
        cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in self._cookies.items() if cookie.value)
        with self._connection_cut_on_error():
            self._connection.request(method, path, body, {**(FORM_HEADERS if body else {}), "Cookie": cookies})
        self.sent_at = time.monotonic()

    def receive(self) -> PageResponse:
        """Return the answer to what was sent."""
        with self._connection_cut_on_error():
            response = self._connection.getresponse()
            page = response.read().decode()
        for cookie in response.headers.get_all("Set-Cookie", []):
            self._cookies.load(cookie)
        return PageResponse(response.status, response.getheader("Location", ""), page)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _connection_cut_on_error(self) -> Iterator[None]:
        try:
            yield
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise ConnectionCut from error
