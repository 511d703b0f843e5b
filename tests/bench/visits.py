"""What a buyer's browser sends on its way in: the landing, the form, the answers."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote_plus, urlencode

COOKIE = re.compile(rb"\r\nset-cookie: *([^=]*session=[^;]+)", re.IGNORECASE)
CSRF = re.compile(rb'name="csrf_token"[^>]* value="([^"]+)"')

LANDED = (b"HTTP/1.1 303 ", b"\r\nLocation: /signup\r\n", b"session=")
FORM_SHOWN = (b"HTTP/1.1 200 ", b'name="csrf_token"')
REGISTERED = (b"HTTP/1.1 303 ", b"\r\nLocation: /welcome\r\n")

POST = (
    b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Cookie: %b\r\nContent-Length: %d\r\n\r\n%b"
)
ANSWERS = {
    "company": "Juniper & Lark",
    "full_name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+1 (555) 010-0199",
    "notes": "",
}


def landings() -> Iterator[bytes]:
    """Yield landings without end, each with a new token of the length AWS makes them."""
    while True:
        token = quote_plus(b64encode(os.urandom(138)))
        yield _post(b"/", b"theme=dark", f"x-amzn-marketplace-token={token}")


def form(landed: bytes) -> bytes:
    """Return the request for the form, by the browser that got this answer to its landing."""
    return b"GET /signup HTTP/1.1\r\nHost: localhost\r\nCookie: %b\r\n\r\n" % cookie(landed)


def registration(landed: bytes, shown: bytes) -> bytes:
    """Return the form filled in, by the browser that landed and was shown the form."""
    found = CSRF.search(shown)
    fields = {"csrf_token": found[1].decode() if found else "", **ANSWERS}
    return _post(b"/signup", cookie(landed), urlencode(fields))


def cookie(landed: bytes) -> bytes:
    """Return the session's cookie, as the browser sends it back."""
    found = COOKIE.search(landed)
    return found[1] if found else b""


def _post(path: bytes, cookies: bytes, body: str) -> bytes:
    return POST % (path, cookies, len(body), body.encode())
