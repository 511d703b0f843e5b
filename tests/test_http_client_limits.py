"""Limits of a POST to a product: its total time, the size of the body, and Retry-After."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import chain, repeat

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from app import http_client
from tests.support.raw_http_server import OK_STATUS_LINE, SHORT_LIMITS, error_code, post_to, serve_raw

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BOMB = gzip.compress(gzip.compress(b"0" * 20_000_000))


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [OK_STATUS_LINE + b"X-Slow: ", repeat(b"a")],
        [OK_STATUS_LINE, chain.from_iterable(repeat([b"X", b":", b"a", b"\r\n"]))],
        [repeat(b"HTTP/1.1 100 Continue\r\n\r\n")],
        [OK_STATUS_LINE + b"Content-Length: 1000\r\n\r\n", repeat(b"a")],
        [OK_STATUS_LINE + b"\r\n", repeat(b"a")],
        [OK_STATUS_LINE + b"Transfer-Encoding: chunked\r\n\r\n", repeat(b"1\r\na\r\n")],
        [OK_STATUS_LINE + b"Transfer-Encoding: chunked\r\n\r\n5;x=", repeat(b"y")],
        [OK_STATUS_LINE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", repeat(b"X: y\r\n")],
        [b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", repeat(b"a")],
    ],
    ids=[
        "silence",
        "one header",
        "headers",
        "continue",
        "body",
        "endless body",
        "chunks",
        "a chunk's length",
        "trailers",
        "redirect",
    ],
)
def test_dripping_product_times_out(pieces: list[bytes | Iterator[bytes]]) -> None:
    with serve_raw(*(pieces or [repeat(b"")])) as product:
        started = time.monotonic()

        assert error_code(lambda: post_to(product, SHORT_LIMITS)) == "timeout"

    assert SHORT_LIMITS.total_seconds <= time.monotonic() - started < 3 * SHORT_LIMITS.total_seconds
    assert product.connections == 1


def test_unfinished_tls_handshake_times_out() -> None:
    with serve_raw(repeat(b"")) as product:
        product.scheme = "https"

        assert error_code(lambda: post_to(product, SHORT_LIMITS)) == "timeout"


def test_slow_dns_lookup_times_out_and_nothing_is_sent_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_resolve, getaddrinfo = threading.Event(), socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *args, **more: may_resolve.wait(30) and getaddrinfo(*args, **more)
    )

    with serve_raw(OK_STATUS_LINE + b"\r\n") as product:
        assert error_code(lambda: post_to(product, SHORT_LIMITS)) == "timeout"
        may_resolve.set()

    assert product.requests == []


@pytest.mark.parametrize("framing", ["", "Content-Length: 65536\r\n"])
def test_body_of_64_kilobytes_is_accepted(framing: str) -> None:
    with serve_raw(OK_STATUS_LINE + f"{framing}\r\n".encode() + b"a" * 65536) as product:
        assert post_to(product).body == b"a" * 65536


@pytest.mark.parametrize(
    "response",
    [
        b"\r\n" + b"a" * 65537,
        b"Content-Length: 1000000000\r\n\r\n" + b"a" * 100_000,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"4000\r\n%s\r\n" % (b"a" * 0x4000) * 5,
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n" + b"a" * 100_000,
        b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"0" * 20_000_000),
        b"Content-Encoding: gzip, gzip\r\n\r\n" + BOMB,
    ],
    ids=["no length", "length", "chunks", "one chunk", "bomb", "bomb in a bomb"],
)
def test_larger_body_is_not_read_to_its_end(response: bytes) -> None:
    with serve_raw(OK_STATUS_LINE + response) as product:
        assert error_code(lambda: post_to(product)) == "too_large"


@pytest.mark.parametrize("status", [b"302 Found\r\nLocation: /", b"410 Gone", b"500 Oh"])
def test_larger_body_of_an_error_status_is_truncated(status: bytes) -> None:
    with serve_raw(b"HTTP/1.1 " + status + b"\r\nContent-Encoding: gzip, gzip\r\n\r\n" + BOMB) as product:
        reply = post_to(product)

    assert reply.status == int(status[:3])
    assert reply.body == b"0" * http_client.DEFAULT_LIMITS.max_body_bytes


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("1.5", 1.5),
        ("-5", 0),
        ("99999999999999999999", 86400),
        ("9" * 1000, 86400),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), 300),
        (format_datetime(NOW - timedelta(minutes=5), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=30), usegmt=True), 86400),
        ("Mon, 23 Nov 2026 12:05:00 -0000", 300),
        ("Monday, 23-Nov-26 12:05:00 GMT", 300),
        ("Mon Nov 23 12:05:00 2026", 300),
        ("Mon, 23 Nov 2026 14:05:00 +0200", 300),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("5, 10", None),
        ("\u0665", None),
        ("Mon, 99 Nov 2026 12:05:00 GMT", None),
        ("Mon, 23 Nov 2026 12:05:00 +9999999999", None),
        ("2026-11-23T12:05:00Z", None),
    ],
)
def test_retry_after_is_parsed_to_seconds(header: str, seconds: float | None) -> None:
    with time_machine.travel(NOW, tick=False):
        assert http_client._parse_retry_after(header) == seconds


@given(header=st.text(max_size=60) | st.datetimes().map(format_datetime))
def test_any_retry_after_is_between_now_and_a_day_or_none(header: str) -> None:
    seconds = http_client._parse_retry_after(header)

    assert seconds is None or 0 <= seconds <= 86400
