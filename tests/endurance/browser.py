"""A buyer's browser: one keep-alive connection with cookies, which notices a cut connection."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from urllib.parse import urlencode

# Longer than any part of Foyer may take: a request without an answer by then never gets one.
RESPONSE_TIMEOUT_SECONDS = 30
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


class ConnectionCut(Exception):
    """The connection ended before the response was complete."""


@dataclass(frozen=True)
class PageResponse:
    """A response: status, Location header, and body."""

    status: int
    location: str
    page: str


class Browser:
    """One buyer's connection to the server; the next request after a cut connects again.

    With an address, a proxy says that the buyer has it. `host` is the site's name, if it is not the server's address.
    """

    def __init__(
        self, port: int, seconds: float = RESPONSE_TIMEOUT_SECONDS, address: str | None = None, host: str | None = None
    ) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
        self._headers = {"X-Forwarded-For": address} if address else {}
        self._headers |= {"Host": host} if host else {}
        self._cookies = SimpleCookie()
        self.sent_at = math.inf

    def get(self, path: str) -> PageResponse:
        self.send("GET", path)
        return self.receive()

    def post(self, path: str, fields: dict[str, str]) -> PageResponse:
        self.send("POST", path, fields)
        return self.receive()

    def send(self, method: str, path: str, fields: dict[str, str] | None = None) -> None:
        """Send a request; `sent_at` is the moment when all of it was sent."""
        self.sent_at = math.inf
        body = urlencode(fields).encode() if fields else None
        cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in self._cookies.items() if cookie.value)
        with self._connection_cut_on_error():
            headers = {**self._headers, **(FORM_HEADERS if body else {}), "Cookie": cookies}
            self._connection.request(method, path, body, headers)
        self.sent_at = time.monotonic()

    def receive(self) -> PageResponse:
        """Return the response to the request sent."""
        with self._connection_cut_on_error():
            response = self._connection.getresponse()
            page = response.read().decode()
        for cookie in response.headers.get_all("Set-Cookie", []):
            self._cookies.load(cookie)
        return PageResponse(response.status, response.getheader("Location", ""), page)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _connection_cut_on_error(self) -> Iterator[None]:
        try:
            yield
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise ConnectionCut from error
