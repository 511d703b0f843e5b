"""What a buyer's browser sends on its way in: the landing, the form, the answers."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote_plus, urlencode

SET_COOKIE = re.compile(rb"\r\nset-cookie: *([^=]*session=[^;]+)", re.IGNORECASE)
COOKIE = re.compile(rb"\r\nCookie: ([^\r]+)")
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


def landings(wait: float) -> Iterator[bytes]:
    """Yield landings without end, each with a new token of the length AWS makes them, and AWS's wait in seconds."""
    while True:
        token = f"{wait * 1000:04.0f}{b64encode(os.urandom(135)).decode()}"
        yield _post(b"/", b"theme=dark", f"x-amzn-marketplace-token={quote_plus(token)}")


def form(landed: bytes) -> bytes:
    """Return the request for the form, by the browser that got this answer to its landing."""
    return b"GET /signup HTTP/1.1\r\nHost: localhost\r\nCookie: %b\r\n\r\n" % _found(SET_COOKIE, landed)


def registration(asked: bytes, shown: bytes) -> bytes:
    """Return the form filled in, by the browser that asked for the form and was shown it."""
    fields = {"csrf_token": _found(CSRF, shown).decode(), **ANSWERS}
    return _post(b"/signup", _found(COOKIE, asked), urlencode(fields))


def _found(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    match = pattern.search(text)
    return match[1] if match else b""


def _post(path: bytes, cookies: bytes, body: str) -> bytes:
    return POST % (path, cookies, len(body), body.encode())
