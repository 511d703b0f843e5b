"""Where a request ends, however its bytes come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.security.headers import MAX_BODY_BYTES, MAX_USAGE_BYTES
from app.security.http_requests import MAX_REQUEST_BYTES, RequestBuffer
from tests.hostile.raw_http import post_bytes, unfinished_chunks

CHUNKED = "Transfer-Encoding: chunked"
LAST_CHUNK = b"0\r\n\r\n"
COMPLETE = {
    "no body": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no headers": b"GET / HTTP/1.0\r\n\r\n",
    "a body": post_bytes(b"a=1"),
    "an empty body": post_bytes(b""),
    "a body like the end of a head": post_bytes(b"\r\n\r\n\r\n"),
    "chunks": post_bytes(unfinished_chunks(b"a=1&", b"b" * 20) + LAST_CHUNK, CHUNKED),
    "chunks like the last one": post_bytes(unfinished_chunks(b"x\r\n0\r\n\r\n", LAST_CHUNK) + LAST_CHUNK, CHUNKED),
    "chunks with extensions": post_bytes(b"3;a=b\r\na=1\r\n0;c\r\n\r\n", CHUNKED),
    "chunks with a trailer": post_bytes(b"3\r\na=1\r\n0\r\nA: b\r\n\r\n", CHUNKED),
    "a length with zeros": post_bytes(b"a=1", f"Content-Length: {'0' * 5000}3"),
}
# Gunicorn's parser or the application refuses these, so nothing more is awaited.
REFUSED = {
    "a length above the limit": post_bytes(b"", length=MAX_BODY_BYTES + 1),
    "a length of 5,000 digits": post_bytes(b"", f"Content-Length: {'9' * 5000}"),
    "a length in letters": post_bytes(b"", "Content-Length: abc"),
    "a chunk of a negative size": post_bytes(b"-5\r\nabc", CHUNKED),
    "a chunk of a malformed size": post_bytes(b"zz\r\nabc", CHUNKED),
    "lines that end without CR": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "an endless head": b"A: b\r\n" * (MAX_REQUEST_BYTES // 6 + 1),
    "endless chunks": post_bytes(unfinished_chunks(*[b"a"] * (MAX_REQUEST_BYTES // 6)), CHUNKED),
}


def receive(*pieces: bytes) -> tuple[bool, bool]:
    """Return whether the request is complete, and whether it is too large, after these pieces."""
    buffer = RequestBuffer()
    for piece in pieces:
        buffer.data += piece
        state = buffer.is_complete(), buffer.is_too_large()
    return state


@pytest.mark.parametrize("request_", COMPLETE.values(), ids=COMPLETE)
def test_request_is_complete_with_its_last_byte(request_: bytes) -> None:
    buffer = RequestBuffer()
    complete = []
    for byte in request_:
        buffer.data.append(byte)
        complete.append(buffer.is_complete())

    assert complete == [False] * (len(request_) - 1) + [True]
    assert receive(request_) == receive(request_ + b"GET / HT") == (True, False)


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
def test_request_to_be_refused_is_not_waited_for(request_: bytes) -> None:
    assert any(receive(request_))


def test_request_of_chunks_with_a_size_of_many_digits_is_incomplete() -> None:
    assert receive(post_bytes(b"f" * 5000 + b"\r\n", CHUNKED)) == (False, False)


@given(st.lists(st.binary(max_size=50), min_size=1), st.sampled_from([b"", *COMPLETE.values(), *REFUSED.values()]))
def test_any_bytes_are_read_without_an_error(pieces: list[bytes], before: bytes) -> None:
    receive(before[:2000], *pieces)


def test_only_usage_may_have_a_large_body() -> None:
    body = b"x" * (MAX_USAGE_BYTES - 1)
    in_chunks = unfinished_chunks(*[body[:100_000]] * 40)

    assert receive(post_bytes(body, path="/api/v1/usage")) == (True, False)
    assert receive(post_bytes(body, path="/api/v1/usage?a=b")) == (True, False)
    assert receive(post_bytes(in_chunks + LAST_CHUNK, CHUNKED, path="/api/v1/usage")) == (True, False)
    for path in ("/", "/api/v1/usage/", "/api/v1/usages"):
        assert receive(post_bytes(body[: MAX_BODY_BYTES + 1], path=path))[1]
    assert receive(post_bytes(b"", length=MAX_USAGE_BYTES + 1, path="/api/v1/usage"))[1]


def test_large_body_in_tiny_chunks_is_not_waited_for() -> None:
    tiny = unfinished_chunks(*[b"ab"] * 12_000)

    assert receive(post_bytes(tiny, CHUNKED, path="/api/v1/usage")) == (False, False)
    assert receive(post_bytes(tiny * 2, CHUNKED, path="/api/v1/usage")) == (False, True)
