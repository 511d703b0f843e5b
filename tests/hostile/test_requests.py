"""Requests that are hardly HTTP: a plain status, none of the sender's own words, and nothing of them in the log."""

import json
import re

import pytest

from app.security.headers import SECURITY_HEADERS
from sandbox.server import Sandbox
from tests.hostile import raw_http
from tests.hostile.conftest import RunningServer
from tests.hostile.raw_http import post_bytes
from tests.support import factories
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import check_page

HOST = "Host: localhost\r\n"


def get(*lines: str, target: str = "/") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode("latin-1")


# What is odd -> what is sent, and the status it gets.
REFUSED = {
    "a length that is no number": (post_bytes(b"abc", "Content-Length: abc"), 400),
    "a length below nothing": (post_bytes(b"abc", "Content-Length: -1"), 400),
    "a length with a sign": (post_bytes(b"abc", "Content-Length: +3"), 400),
    "a length in other digits": (post_bytes(b"abc", "Content-Length: \xb2"), 400),
    "two lengths": (post_bytes(b"abc", "Content-Length: 3", "Content-Length: 3"), 400),
    "a length and chunks": (post_bytes(b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"), 400),
    "chunks twice": (post_bytes(b"0\r\n\r\n", "Transfer-Encoding: chunked, chunked"), 400),
    "an encoding that is not the last": (post_bytes(b"0\r\n\r\n", "Transfer-Encoding: chunked, gzip"), 400),
    "an encoding that ends never": (post_bytes(b"abc", "Transfer-Encoding: identity"), 400),
    "an encoding that nobody knows": (post_bytes(b"abc", "Transfer-Encoding: cow"), 501),
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
def test_what_is_hardly_http_is_refused_in_plain_words(
    checked_server: RunningServer, request_: bytes, status: int
) -> None:
    answer = raw_http.send_and_receive(checked_server.url, request_)

    assert answer.status == status
    assert answer.text.startswith(f"{status} ")
    assert len(answer.text) < 50
    assert SECURITY_HEADERS.items() <= answer.headers.items()


@pytest.mark.parametrize("method", ["BREW", "TRACE", "PUT", "PROPFIND", "OPTIMISE"])
def test_a_method_that_nobody_knows_gets_a_page(checked_server: RunningServer, method: str) -> None:
    answer = raw_http.send_and_receive(checked_server.url, f"{method} / HTTP/1.1\r\n{HOST}\r\n".encode())

    assert answer.status == 405
    check_page(answer.text)


@pytest.mark.parametrize("line", ["CONNECT evil.example:443", "OPTIONS *", "GET http://evil.example/", "GET //evil"])
def test_an_address_of_another_form_is_never_our_fault(checked_server: RunningServer, line: str) -> None:
    answer = raw_http.send_and_receive(checked_server.url, f"{line} HTTP/1.1\r\n{HOST}\r\n".encode())

    assert answer.status in {200, 400, 404, 405}


def test_what_a_client_sends_past_its_length_is_neither_answered_with_nor_logged(
    checked_server: RunningServer, sandbox: Sandbox
) -> None:
    token = factories.token(sandbox)

    with raw_http.open_connection(checked_server.url) as connection:
        connection.sendall(post_bytes(f"{TOKEN_FIELD}={token}\r\n\r\n".encode(), length=0))
        answers = raw_http.read_to_end(connection)

    assert re.findall(r"HTTP/1\.1 (\d+)", answers) == ["400", "400"]
    assert token not in answers
    log = checked_server.log.read_text()
    refused = [json.loads(line) for line in log.splitlines() if "request.refused" in line]
    assert [line["fault"] for line in refused] == ["InvalidRequestLine"]
    assert token not in log
    assert token[:20] not in log


@pytest.mark.parametrize(
    "header", ["PATH_INFO: /metrics", "SCRIPT_NAME: /health", "SCRIPT_NAME: /evil", "X-Forwarded-Protocol: ssl"]
)
def test_a_header_cannot_take_a_request_elsewhere(checked_server: RunningServer, header: str) -> None:
    usual = raw_http.send_and_receive(checked_server.url, get(target="/healthz"))

    answer = raw_http.send_and_receive(checked_server.url, get(header, "X-Forwarded-Proto: http", target="/healthz"))

    assert (answer.status, answer.text) == (usual.status, usual.text)
