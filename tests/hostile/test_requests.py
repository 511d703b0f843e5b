"""Malformed HTTP: a plain status, without the client's own bytes, which stay out of the log as well."""

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


# What is malformed -> the request, and the status of the response.
REFUSED = {
    "a length in letters": (post_bytes(b"abc", "Content-Length: abc"), 400),
    "a negative length": (post_bytes(b"abc", "Content-Length: -1"), 400),
    "a length with a sign": (post_bytes(b"abc", "Content-Length: +3"), 400),
    "a length in non-ASCII digits": (post_bytes(b"abc", "Content-Length: \xb2"), 400),
    "two lengths": (post_bytes(b"abc", "Content-Length: 3", "Content-Length: 3"), 400),
    "a length and chunks": (post_bytes(b"0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"), 400),
    "chunks twice": (post_bytes(b"0\r\n\r\n", "Transfer-Encoding: chunked, chunked"), 400),
    "chunks before another encoding": (post_bytes(b"0\r\n\r\n", "Transfer-Encoding: chunked, gzip"), 400),
    "an encoding without an end": (post_bytes(b"abc", "Transfer-Encoding: identity"), 400),
    "an unknown encoding": (post_bytes(b"abc", "Transfer-Encoding: cow"), 501),
    "an unknown expectation": (get("Expect: tea"), 417),
    "two hosts": (get("Host: evil.example"), 400),
    "a header folded over two lines": (get("A: b", " c"), 400),
    "a header without a name": (get(": b"), 400),
    "a null byte in a header": (get("A: b\x00c"), 400),
    "a header that is too long": (get(f"A: {'x' * 10_000}"), 431),
    "too many headers": (get(*["A: b"] * 200), 431),
    "too long a target": (get(target=f"/?{'x' * 10_000}"), 414),
    "a target of control and non-ASCII bytes": (get(target="/\xff\x01"), 400),
    "no target": (b"GET  HTTP/1.1\r\n\r\n", 400),
    "a lower-case method": (b"get / HTTP/1.1\r\n\r\n", 400),
    "an unknown version": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
}


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED)
def test_malformed_request_gets_a_plain_status(checked_server: RunningServer, request_: bytes, status: int) -> None:
    response = raw_http.send_and_receive(checked_server.url, request_)

    assert response.status == status
    assert response.text.startswith(f"{status} ")
    assert len(response.text) < 50
    assert SECURITY_HEADERS.items() <= response.headers.items()


@pytest.mark.parametrize("method", ["BREW", "TRACE", "PUT", "PROPFIND", "OPTIMISE"])
def test_unknown_method_gets_a_page(checked_server: RunningServer, method: str) -> None:
    response = raw_http.send_and_receive(checked_server.url, f"{method} / HTTP/1.1\r\n{HOST}\r\n".encode())

    assert response.status == 405
    check_page(response.text)


@pytest.mark.parametrize("line", ["CONNECT evil.example:443", "OPTIONS *", "GET http://evil.example/", "GET //evil"])
def test_other_forms_of_request_target_cause_no_server_error(checked_server: RunningServer, line: str) -> None:
    response = raw_http.send_and_receive(checked_server.url, f"{line} HTTP/1.1\r\n{HOST}\r\n".encode())

    assert response.status in {200, 400, 404, 405}


def test_bytes_after_the_body_are_neither_echoed_nor_logged(checked_server: RunningServer, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)

    with raw_http.open_connection(checked_server.url) as connection:
        connection.sendall(post_bytes(f"{TOKEN_FIELD}={token}\r\n\r\n".encode(), length=0))
        responses = raw_http.read_to_end(connection)

    assert re.findall(r"HTTP/1\.1 (\d+)", responses) == ["400", "400"]
    assert token not in responses
    log = checked_server.log.read_text()
    refused = [json.loads(line) for line in log.splitlines() if "request.refused" in line]
    assert [line["fault"] for line in refused] == ["InvalidRequestLine"]
    assert token not in log
    assert token[:20] not in log


@pytest.mark.parametrize(
    "header", ["PATH_INFO: /metrics", "SCRIPT_NAME: /health", "SCRIPT_NAME: /evil", "X-Forwarded-Protocol: ssl"]
)
def test_header_cannot_change_the_path_of_a_request(checked_server: RunningServer, header: str) -> None:
    plain_response = raw_http.send_and_receive(checked_server.url, get(target="/healthz"))

    response = raw_http.send_and_receive(checked_server.url, get(header, "X-Forwarded-Proto: http", target="/healthz"))

    assert (response.status, response.text) == (plain_response.status, plain_response.text)
