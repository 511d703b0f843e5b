"""The HTTP requests of a buyer's browser: the landing, the form, and the answers."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote_plus, urlencode

SET_COOKIE = re.compile(rb"\r\nset-cookie: *([^=]*session=[^;]+)", re.IGNORECASE)
COOKIE_HEADER = re.compile(rb"\r\nCookie: ([^\r]+)")
CSRF_FIELD = re.compile(rb'name="csrf_token"[^>]* value="([^"]+)"')

LANDING_EXPECTED = (b"HTTP/1.1 303 ", b"\r\nLocation: /signup\r\n", b"session=")
FORM_EXPECTED = (b"HTTP/1.1 200 ", b'name="csrf_token"')
SIGNUP_EXPECTED = (b"HTTP/1.1 303 ", b"\r\nLocation: /welcome\r\n")

POST_TEMPLATE = (
    b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Cookie: %b\r\nX-Forwarded-For: %b\r\nContent-Length: %d\r\n\r\n%b"
)
ANSWERS = {
    "company": "Juniper & Lark",
    "full_name": "Ada Lovelace",
    "email": "ada@example.com",
    "phone": "+1 (555) 010-0199",
    "notes": "",
}


def landing_requests(aws_seconds: float) -> Iterator[bytes]:
    """Yield landings without end, each with a new token of AWS's length that contains AWS's response time.

    Each comes from an address of its own.
    """
    while True:
        token = f"{aws_seconds * 1000:04.0f}{b64encode(os.urandom(135)).decode()}"
        yield _post_request(b"/", b"theme=dark", f"x-amzn-marketplace-token={quote_plus(token)}")


def form_request(landing_response: bytes) -> bytes:
    """Return the request for the form, with the session cookie of the response to the landing."""
    return b"GET /signup HTTP/1.1\r\nHost: localhost\r\nCookie: %b\r\n\r\n" % _first_group(SET_COOKIE, landing_response)


def signup_request(form_request: bytes, form_response: bytes) -> bytes:
    """Return the POST of the answers, with the cookie of the request for the form and the form's CSRF token."""
    fields = {"csrf_token": _first_group(CSRF_FIELD, form_response).decode(), **ANSWERS}
    return _post_request(b"/signup", _first_group(COOKIE_HEADER, form_request), urlencode(fields))


def _first_group(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    match = pattern.search(text)
    return match[1] if match else b""


def _post_request(path: bytes, cookies: bytes, body: str) -> bytes:
    address = ".".join(str(byte) for byte in os.urandom(4)).encode()
    return POST_TEMPLATE % (path, cookies, address, len(body), body.encode())
