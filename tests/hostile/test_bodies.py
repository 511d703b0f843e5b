"""Malformed bodies: the response is a page or a plain status, and nothing of the body is stored."""

import pytest
import requests

from sandbox.server import Sandbox
from tests.hostile import raw_http
from tests.hostile.conftest import RunningServer
from tests.hostile.raw_http import post_bytes, unfinished_chunks
from tests.support import factories
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import check_page, csrf_token

TOKEN_PREFIX = f"{TOKEN_FIELD}=".encode()
MULTIPART = "Content-Type: multipart/form-data; boundary=b"
CHUNKED = "Transfer-Encoding: chunked"


def part(name: str, value: str) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


# What is malformed -> the request, and the status of the response.
MALFORMED = {
    "too large, with its length": (post_bytes(b"x" * 100_000), 413),
    "too large a length, without a body": (post_bytes(b"", length=10**12), 413),
    "a length of 5,000 digits": (post_bytes(b"x", f"Content-Length: {'9' * 5000}"), 400),
    "too large, in chunks": (post_bytes(unfinished_chunks(*[b"x" * 1000] * 100) + b"0\r\n\r\n", CHUNKED), 413),
    "100,000 fields": (post_bytes(b"a=1&" * 100_000), 413),
    "as many fields as fit": (post_bytes(b"a&" * 32_000), 400),
    "the same field twice": (post_bytes(TOKEN_PREFIX + b"&" + TOKEN_PREFIX + b"second"), 400),
    "null bytes": (post_bytes(TOKEN_PREFIX + b"\x00%00\x00"), 400),
    "UTF-16": (
        post_bytes(
            f"{TOKEN_FIELD}=abc".encode("utf-16"), f"Content-Type: {raw_http.FORM_CONTENT_TYPE}; charset=utf-16"
        ),
        400,
    ),
    "invalid UTF-8": (post_bytes(TOKEN_PREFIX + b"\xff\xfe\xed\xa0\x80"), 400),
    "escapes of invalid UTF-8": (post_bytes(TOKEN_PREFIX + b"%ff%fe%ed%a0%80%zz%"), 400),
    "JSON": (post_bytes(b'{"a": 1}', "Content-Type: application/json"), 400),
    "a malformed content type": (post_bytes(TOKEN_PREFIX + b"abc", "Content-Type: ;;=\xff"), 400),
    "multipart without a boundary": (post_bytes(part("a", "b"), "Content-Type: multipart/form-data"), 400),
    "multipart with a malformed boundary": (
        post_bytes(part("a", "b"), 'Content-Type: multipart/form-data; boundary="\xff"'),
        400,
    ),
    "truncated multipart": (post_bytes(part("a", "b")[:-10], MULTIPART), 400),
    "multipart without parts": (post_bytes(b"--b--", MULTIPART), 400),
    "multipart with an unfinished header": (post_bytes(b"--b\r\nA: " + b"x" * 60_000, MULTIPART), 400),
    "multipart of 1,000 parts": (post_bytes(part("a", "b") * 1000 + b"--b--", MULTIPART), 413),
    "a file as the token": (post_bytes(part(f'{TOKEN_FIELD}"; filename="t', "x") + b"--b--", MULTIPART), 400),
    "no body at all": (post_bytes(b""), 400),
}
TRUNCATED = {
    "a truncated body": post_bytes(TOKEN_PREFIX + b"abc", length=500),
    "a truncated chunk": post_bytes(b"ff\r\n" + TOKEN_PREFIX, CHUNKED),
    "chunks without the final one": post_bytes(unfinished_chunks(TOKEN_PREFIX), CHUNKED),
    "a chunk with a malformed size": post_bytes(b"zz\r\nabc\r\n0\r\n\r\n", CHUNKED),
    "a chunk longer than its size": post_bytes(b"3\r\nabcdef\r\n0\r\n\r\n", CHUNKED),
    "a chunk with a malformed extension": post_bytes(b"3;\x00=\r\nabc\r\n0\r\n\r\n", CHUNKED),
}


@pytest.mark.parametrize(("request_", "status"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_body_gets_a_page_with_help(checked_server: RunningServer, request_: bytes, status: int) -> None:
    response = raw_http.send_and_receive(checked_server.url, request_)

    assert response.status == status
    if response.headers["Content-Type"].startswith("text/html"):
        check_page(response.text)


@pytest.mark.parametrize("request_", TRUNCATED.values(), ids=TRUNCATED)
def test_truncated_body_is_refused(checked_server: RunningServer, request_: bytes) -> None:
    response = raw_http.send_and_receive(checked_server.url, request_, close_writing=True)

    assert response.status == 400
    check_page(response.text)


def test_truncated_answers_are_not_stored(checked_server: RunningServer, sandbox: Sandbox) -> None:
    with requests.Session() as buyer:
        page = buyer.post(checked_server.url, data={TOKEN_FIELD: factories.token(sandbox)}, timeout=10)
        form = {"csrf_token": csrf_token(page.text), **ANSWERS}
        signup = requests.Request("POST", f"{checked_server.url}signup", data=form, cookies=buyer.cookies).prepare()
        assert isinstance(signup.body, str)

        truncated = post_bytes(
            signup.body[:-5].encode(), f"Cookie: {signup.headers['Cookie']}", path="/signup", length=len(signup.body)
        )
        response = raw_http.send_and_receive(checked_server.url, truncated, close_writing=True)

        assert response.status == 400
        assert buyer.get(f"{checked_server.url}welcome", timeout=10).url == f"{checked_server.url}signup"


def test_malformed_body_leaves_the_next_request_intact(checked_server: RunningServer) -> None:
    with raw_http.open_connection(checked_server.url) as connection:
        connection.sendall(post_bytes(b"a&" * 32_000))
        first = raw_http.read_response(connection)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        second = raw_http.read_response(connection)

    assert (first.status, second.status, second.text) == (400, 200, "ok\n")
