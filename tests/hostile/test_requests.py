"""Requests that are hardly HTTP: a plain status, none of the sender's own words, and nothing of them in the log."""

import json
import re

import pytest

from app.security.headers import HEADERS
from sandbox.server import Sandbox
from tests import factories
from tests.factories import TOKEN
from tests.hostile import wire
from tests.hostile.conftest import Door
from tests.hostile.wire import post
from tests.pages import check_page

HOST = "Host: localhost\r\n"


def get(*lines: str, target: str = "/") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode("latin-1")


# What is odd -> what is sent, and the status it gets.
REFUSED = {
    "a length that is no number": (post(b"abc", "Content-Length: abc"), 400),
    "a length below nothing": (post(b"abc", "Content-Length: -1"), 400),
    "a length with a sign": (post(b"abc", "Content-Length: +3"), 400),
    "a length in other digits": (post(b"abc", "Content-Length: \xb2"), 400),
    "two lengths": (post(b"abc", "Content-Length: 3", "Content-Length: 3"), 400),
    "a length and chunks": (post(b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"), 400),
    "chunks twice": (post(b"0\r\n\r\n", "Transfer-Encoding: chunked, chunked"), 400),
    "an encoding that is not the last": (post(b"0\r\n\r\n", "Transfer-Encoding: chunked, gzip"), 400),
    "an encoding that ends never": (post(b"abc", "Transfer-Encoding: identity"), 400),
    "an encoding that nobody knows": (post(b"abc", "Transfer-Encoding: cow"), 501),
    "an expectation that nobody knows": (get("Expect: tea"), 417),
    "two hosts": (get("Host: evil.example"), 400),
    "a header folded over two lines": (get("A: b", " c"), 400),
    "a header without a name": (get(": b"), 400),
    "a null byte in a header": (get("A: b\x00c"), 400),
    "a header that is too long": (get(f"A: {'x' * 10_000}"), 431),
    "too many headers": (get(*["A: b"] * 200), 431),
    "too long an address": (get(target=f"/?{'x' * 10_000}"), 414),
    "an address of odd bytes": (get(target="/\xff\x01"), 400),
    "no address": (b"GET  HTTP/1.1\r\n\r\n", 400),
    "a method in small letters": (b"get / HTTP/1.1\r\n\r\n", 400),
    "a version that is none": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
}


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_hardly_http_is_refused_in_plain_words(door: Door, request_: bytes, status: int) -> None:
    answer = wire.exchange(door.url, request_)

    assert answer.status == status
    assert answer.text.startswith(f"{status} ")
    assert len(answer.text) < 50
    assert HEADERS.items() <= answer.headers.items()


@pytest.mark.parametrize("method", ["BREW", "TRACE", "PUT", "PROPFIND", "OPTIMISE"])
def test_a_method_that_nobody_knows_gets_a_page(door: Door, method: str) -> None:
    answer = wire.exchange(door.url, f"{method} / HTTP/1.1\r\n{HOST}\r\n".encode())

    assert answer.status == 405
    check_page(answer.text)


@pytest.mark.parametrize("line", ["CONNECT evil.example:443", "OPTIONS *", "GET http://evil.example/", "GET //evil"])
def test_an_address_of_another_form_is_never_our_fault(door: Door, line: str) -> None:
    answer = wire.exchange(door.url, f"{line} HTTP/1.1\r\n{HOST}\r\n".encode())

    assert answer.status in {200, 400, 404, 405}


def test_what_a_client_sends_past_its_length_is_neither_answered_with_nor_logged(door: Door, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)

    with wire.connect(door.url) as connection:
        connection.sendall(post(f"{TOKEN}={token}\r\n\r\n".encode(), length=0))
        answers = wire.hear_out(connection)

    assert re.findall(r"HTTP/1\.1 (\d+)", answers) == ["400", "400"]
    assert token not in answers
    log = door.log.read_text()
    refused = [json.loads(line) for line in log.splitlines() if "request.refused" in line]
    assert [line["fault"] for line in refused] == ["InvalidRequestLine"]
    assert token not in log
    assert token[:20] not in log


@pytest.mark.parametrize(
    "header", ["PATH_INFO: /metrics", "SCRIPT_NAME: /health", "SCRIPT_NAME: /evil", "X-Forwarded-Protocol: ssl"]
)
def test_a_header_cannot_take_a_request_elsewhere(door: Door, header: str) -> None:
    usual = wire.exchange(door.url, get(target="/healthz"))

    answer = wire.exchange(door.url, get(header, "X-Forwarded-Proto: http", target="/healthz"))

    assert (answer.status, answer.text) == (usual.status, usual.text)
