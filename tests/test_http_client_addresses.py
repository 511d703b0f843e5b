"""POST to a product whose name has several addresses: each public one is tried in turn, a private one never."""

import socket
import time
from pathlib import Path

import pytest

from app import http_client
from app.http_client import RequestLimits
from tests.support import fake_network
from tests.support.certificates import self_signed
from tests.support.fake_network import NO_ROUTE, FakeNetwork
from tests.support.raw_http_server import OK_STATUS_LINE, error_code, serve_raw

URL = "http://app.acme.example/foyer"
OK = OK_STATUS_LINE + b"Content-Length: 2\r\n\r\n{}"
IPV6, OTHER_IPV6, IPV4, OTHER_IPV4 = "2001:4860:4860::8888", "2606:4700::1111", "8.8.8.8", "9.9.9.9"
PRIVATE_ADDRESSES = ["10.0.0.7", "127.0.0.1", "169.254.169.254", "::1", "fd00::7", "64:ff9b::a00:1", "2002:7f00:1::"]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    return fake_network.install(monkeypatch)


def post(limits: RequestLimits = http_client.DEFAULT_LIMITS, url: str = URL) -> int:
    return http_client.post(url, b"{}", {}, limits).status


@pytest.mark.parametrize("failure", [NO_ROUTE, TimeoutError(), ConnectionRefusedError(), ConnectionResetError()])
def test_second_address_is_tried_where_the_first_fails(network: FakeNetwork, failure: OSError) -> None:
    with serve_raw(OK) as product:
        network.answers = {IPV6: failure, IPV4: product.port}

        assert post() == 200

    assert network.dialled == [IPV6, IPV4]


def test_ipv6_is_tried_where_ipv4_fails(network: FakeNetwork) -> None:
    with serve_raw(OK, host="::1") as product:
        network.answers = {IPV4: ConnectionRefusedError(), IPV6: product.port}

        assert post() == 200


def test_second_address_is_tried_with_private_ones_allowed(network: FakeNetwork) -> None:
    with serve_raw(OK) as product:
        network.answers = {"fd00::7": NO_ROUTE, "10.0.0.7": product.port}

        assert post(RequestLimits(allow_private=True)) == 200


def test_address_that_answered_is_the_last_one_tried(network: FakeNetwork) -> None:
    with serve_raw(b"HTTP/1.1 500 Oh\r\n\r\n") as product:
        network.answers = {IPV4: product.port, OTHER_IPV4: product.port}

        assert post() == 500

    assert network.dialled == [IPV4]


def test_hanging_addresses_leave_time_for_the_last_one(network: FakeNetwork) -> None:
    limits = RequestLimits(connect_seconds=3, total_seconds=1)
    with serve_raw(OK) as product, socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.socket() as waiting:
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))  # fills the backlog: no other connection is accepted
            network.answers = {IPV4: port, OTHER_IPV4: port, "1.1.1.1": port, "1.0.0.1": product.port}
            started = time.monotonic()

            assert post(limits) == 200

    assert time.monotonic() - started < 1
    assert len(network.dialled) == 4


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_private_address_among_public_ones_is_never_dialled(network: FakeNetwork, address: str) -> None:
    with serve_raw(OK) as product:
        network.answers = {address: product.port, IPV4: ConnectionRefusedError(), OTHER_IPV6: NO_ROUTE}

        assert error_code(post) == "refused"

    assert network.dialled == [IPV4, OTHER_IPV6]
    assert product.connections == 0


def test_name_with_private_addresses_alone_is_refused(network: FakeNetwork) -> None:
    network.answers = dict.fromkeys(PRIVATE_ADDRESSES, 1)

    assert error_code(post) == "private_address"
    assert network.dialled == []


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ([NO_ROUTE, NO_ROUTE], "unreachable"),
        ([ConnectionRefusedError(), NO_ROUTE], "refused"),
        ([NO_ROUTE, ConnectionRefusedError()], "refused"),
        ([TimeoutError(), NO_ROUTE], "timeout"),
        ([NO_ROUTE, TimeoutError()], "timeout"),
    ],
)
def test_failure_that_says_most_gives_the_code(network: FakeNetwork, failures: list[OSError], code: str) -> None:
    network.answers = dict(zip([IPV6, IPV4], failures, strict=True))

    assert error_code(post) == code


def test_certificate_is_for_the_name_at_every_address(
    network: FakeNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, certificate = self_signed(tmp_path, "app.acme.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with serve_raw(OK, tls=tls) as product:
        network.answers = {IPV6: NO_ROUTE, IPV4: product.port}

        assert post(url="https://app.acme.example/foyer") == 200
        assert error_code(lambda: post(url="https://other.acme.example/foyer")) == "tls"
