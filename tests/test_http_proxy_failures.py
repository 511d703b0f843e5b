"""POST to a product through a proxy that refuses, hangs or is broken: each failure has a code, and one deadline."""

import socket
import time
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from app import http_client
from tests.support import factories, tunnel_proxy
from tests.support.ports import free_port
from tests.support.raw_http_server import SHORT_LIMITS, error_code, serve_raw

URL = "https://app.acme.example/foyer"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    factories.clear_environment(monkeypatch)
    return monkeypatch


def post(url: str = URL) -> int:
    return http_client.post(url, b"{}", {}).status


@pytest.mark.parametrize("status", [301, 302, 400, 403, 404, 407, 429, 500, 502, 503, 504])
def test_status_of_the_proxy_is_an_error_code_of_its_own(environment: pytest.MonkeyPatch, status: int) -> None:
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 %d No\r\nContent-Length: 15\r\n\r\n<p>Denied.</p>\n" % status
    with tunnel_proxy.serve(answer) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(post) == f"proxy_{status}"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "proxy_closed"),
        (b"HTTP/1.1 200 OK\r\nX-Half: ", "proxy_unreadable"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "proxy_unreadable"),
        (b"\x05\xff", "proxy_unreadable"),
        (b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 300_000, "proxy_unreadable"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Many: aaaaaaaa\r\n" * 20_000 + b"\r\n", "proxy_unreadable"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "proxy_unreadable"),
    ],
)
def test_broken_proxy_has_its_error_code(environment: pytest.MonkeyPatch, answer: bytes, code: str) -> None:
    with tunnel_proxy.serve(answer) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(post) == code


@pytest.mark.parametrize("rest", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_tunnel_that_ends_at_once_has_the_code_of_a_direct_request(
    environment: pytest.MonkeyPatch, rest: bytes
) -> None:
    with tunnel_proxy.serve(tunnel_proxy.ESTABLISHED + rest) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(post) in {"closed", "tls"}


@pytest.mark.parametrize(
    "pieces",
    [
        [repeat(b"")],
        [b"HTTP/1.1 200 OK\r\nX-Slow: ", repeat(b"a")],
        [b"HTTP/1.1 200 OK\r\n", chain.from_iterable(repeat([b"X", b":", b"a", b"\r\n"]))],
        [repeat(b"HTTP/1.1 100 Continue\r\n\r\n")],
    ],
    ids=["silence", "one header", "headers", "continue"],
)
def test_hanging_proxy_is_given_up_at_the_deadline(
    environment: pytest.MonkeyPatch, pieces: list[bytes | Iterator[bytes]]
) -> None:
    with tunnel_proxy.serve(*pieces) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)
        started = time.monotonic()

        assert error_code(lambda: http_client.post(URL, b"", {}, SHORT_LIMITS)) == "proxy_timeout"

    assert time.monotonic() - started < 3 * SHORT_LIMITS.total_seconds


def test_tunnel_to_a_silent_product_ends_at_the_same_deadline(environment: pytest.MonkeyPatch) -> None:
    with serve_raw(repeat(b"")) as silent, tunnel_proxy.serve(target_port=silent.port) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)
        started = time.monotonic()

        assert error_code(lambda: http_client.post(URL, b"", {}, SHORT_LIMITS)) == "timeout"

    assert time.monotonic() - started < 3 * SHORT_LIMITS.total_seconds


def test_proxy_that_accepts_no_connection_times_out(environment: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")

            assert error_code(lambda: http_client.post(URL, b"", {}, SHORT_LIMITS)) == "proxy_timeout"


def test_proxy_that_is_down_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")

    assert error_code(post) == "proxy_refused"


def test_unknown_name_of_the_proxy_is_a_dns_error(environment: pytest.MonkeyPatch) -> None:
    # The name is longer than DNS allows, so no query leaves this machine.
    environment.setenv("HTTPS_PROXY", f"http://{'.'.join(['a' * 60] * 5)}:3128")

    assert error_code(post) == "proxy_dns"


@pytest.mark.parametrize(
    "url", ["http://", "http://:3128", "http://proxy:99999", "socks5://proxy:1080", "ftp://proxy:3129", "http://[::1"]
)
def test_anything_but_an_http_proxy_is_a_url_error(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("HTTPS_PROXY", url)

    assert error_code(post) == "proxy_url"
