"""The HTTP requests of a buyer's browser: the landing, the form, the answers, and the page after them."""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

SET_COOKIE = re.compile(rb"\r\nset-cookie: *([^=;]+)=([^;\r]*)", re.IGNORECASE)
CSRF_FIELD = re.compile(rb'name="csrf_token"[^>]* value="([^"]+)"')

GET_TEMPLATE = b"GET %b HTTP/1.1\r\nHost: localhost\r\nCookie: %b\r\nX-Forwarded-For: %b\r\n\r\n"
POST_TEMPLATE = (
    b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Cookie: %b\r\nX-Forwarded-For: %b\r\nContent-Length: %d\r\n\r\n%b"
)


def answers() -> dict[str, str]:
    """Return a buyer's answers; the address is a new one, because one address gets few mails a day."""
    return {
        "company": "Juniper & Lark",
        "full_name": "Ada Lovelace",
        "email": f"ada-{os.urandom(6).hex()}@example.com",
        "phone": "+1 (555) 010-0199",
        "notes": "",
        "account": "new",
    }


class Buyer:
    """One buyer's browser, with an address, a purchase and an e-mail address of its own."""

    def __init__(self, aws_seconds: float = 0) -> None:
        """The token has AWS's length, and contains AWS's response time."""
        self._token = f"{aws_seconds * 1000:04.0f}{b64encode(os.urandom(135)).decode()}"
        self._address = ".".join(str(byte) for byte in os.urandom(4)).encode()
        self._cookies = {b"theme": b"dark"}
        self._csrf_token = b""

    def land(self) -> bytes:
        return self._post(b"/", {"x-amzn-marketplace-token": self._token})

    def open_form(self) -> bytes:
        return self._get(b"/signup")

    def send_answers(self) -> bytes:
        return self._post(b"/signup", {"csrf_token": self._csrf_token.decode(), **answers()})

    def open_welcome(self) -> bytes:
        return self._get(b"/welcome")

    def receive(self, response: bytes) -> None:
        """Keep the cookies of a response, and the CSRF token of its form."""
        for name, value in SET_COOKIE.findall(response.partition(b"\r\n\r\n")[0]):
            self._cookies[name] = value
        if field := CSRF_FIELD.search(response):
            self._csrf_token = field[1]

    def _get(self, path: bytes) -> bytes:
        return GET_TEMPLATE % (path, self._cookie_header(), self._address)

    def _post(self, path: bytes, fields: dict[str, str]) -> bytes:
        body = urlencode(fields).encode()
        return POST_TEMPLATE % (path, self._cookie_header(), self._address, len(body), body)

    def _cookie_header(self) -> bytes:
        return b"; ".join(b"%b=%b" % cookie for cookie in self._cookies.items() if cookie[1])


@dataclass(frozen=True)
class Page:
    """A step of the sign-up: the request for it, and what its response must contain."""

    name: str
    request: Callable[[Buyer], bytes]
    expected: tuple[bytes, ...]


LANDING = Page("landing", Buyer.land, (b"HTTP/1.1 303 ", b"\r\nLocation: /signup\r\n", b"session="))
PAGES = (
    LANDING,
    Page("form", Buyer.open_form, (b"HTTP/1.1 200 ", b'name="csrf_token"')),
    Page("submit", Buyer.send_answers, (b"HTTP/1.1 303 ", b"\r\nLocation: /welcome\r\n")),
    Page("welcome", Buyer.open_welcome, (b"HTTP/1.1 200 ", b"Acme Insights", b"</html>")),
)


def landing_requests(aws_seconds: float) -> Iterator[bytes]:
    """Yield landings without end, each of a new buyer."""
    while True:
        yield Buyer(aws_seconds).land()
