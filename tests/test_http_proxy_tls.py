"""POST to a product through a proxy that is reached over TLS itself: HTTPS_PROXY=https://..."""

import ssl
import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from app import http_client, http_proxy
from tests.support import factories, tunnel_proxy
from tests.support.certificates import self_signed
from tests.support.raw_http_server import OK_STATUS_LINE, SHORT_LIMITS, error_code, serve_raw

NAME = "app.acme.example"
URL = f"https://{NAME}/foyer"
LONG_BODY, LONG_REPLY = b'"' + b"a" * 300_000 + b'"', b"b" * 60_000
REPLY = OK_STATUS_LINE + b"Content-Length: 60000\r\n\r\n" + LONG_REPLY


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    factories.clear_environment(monkeypatch)
    return monkeypatch


@pytest.fixture
def tls(environment: pytest.MonkeyPatch, tmp_path: Path) -> ssl.SSLContext:
    """A server's context with a trusted certificate for the product and for a proxy on this machine."""
    context, certificate = self_signed(tmp_path, NAME, "localhost")
    environment.setenv("SSL_CERT_FILE", str(certificate))
    return context


def test_long_body_and_reply_pass_tls_within_tls(environment: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    with serve_raw(REPLY, tls=tls) as product, tunnel_proxy.serve(target_port=product.port, tls=tls) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url.replace("//", "//acme:sesame@"))

        reply = http_client.post(URL, LONG_BODY, {})
        found = http_client.try_proxy(URL)

    assert (reply.status, reply.body) == (200, LONG_REPLY)
    assert product.requests[0].endswith(LONG_BODY)
    assert proxy.headers["Proxy-Authorization"] == "Basic YWNtZTpzZXNhbWU="
    assert str(found) == proxy.url
    assert proxy.url.startswith("https://")


def test_body_without_length_ends_with_the_inner_connection(
    environment: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    with (
        serve_raw(OK_STATUS_LINE + b"\r\nabc", tls=tls) as product,
        tunnel_proxy.serve(target_port=product.port, tls=tls) as proxy,
    ):
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert http_client.post(URL, b"", {}).body == b"abc"


def test_default_port_of_an_encrypted_proxy_is_that_of_https(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "https://proxy.acme.example")

    assert str(http_proxy.find(URL)) == "https://proxy.acme.example:443"


def test_certificate_of_the_proxy_has_to_be_trusted(environment: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    with tunnel_proxy.serve(tls=tls) as proxy:
        environment.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.port}")
        assert error_code(lambda: http_client.post(URL, b"", {})) == "proxy_tls"

        environment.setenv("HTTPS_PROXY", proxy.url)
        environment.delenv("SSL_CERT_FILE")
        assert error_code(lambda: http_client.post(URL, b"", {})) == "proxy_tls"

    assert proxy.heads == []


def test_certificate_of_the_product_counts_within_the_proxys(
    environment: pytest.MonkeyPatch, tls: ssl.SSLContext
) -> None:
    with serve_raw(REPLY, tls=tls) as product, tunnel_proxy.serve(target_port=product.port, tls=tls) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(lambda: http_client.post("https://other.acme.example/", b"", {})) == "tls"

    assert product.requests == []


def test_proxy_without_tls_is_an_error_of_the_proxys(environment: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    with serve_raw(b"HTTP/1.1 400 No\r\n\r\n") as plain:
        environment.setenv("HTTPS_PROXY", f"https://localhost:{plain.port}")

        code = error_code(lambda: http_client.post(URL, b"", {}, SHORT_LIMITS))

    assert code in {"proxy_tls", "proxy_closed", "proxy_timeout"}


@pytest.mark.parametrize("answer", [[tunnel_proxy.ESTABLISHED], [tunnel_proxy.ESTABLISHED, b"\x16\x03\x03\x40\x00"]])
def test_tunnel_that_ends_in_the_inner_handshake_is_an_error(
    environment: pytest.MonkeyPatch, tls: ssl.SSLContext, answer: list[bytes]
) -> None:
    with tunnel_proxy.serve(*answer, tls=tls) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(lambda: http_client.post(URL, b"", {})) in {"closed", "tls"}


@pytest.mark.parametrize(
    "pieces",
    [
        [repeat(b"")],
        [tunnel_proxy.ESTABLISHED, repeat(b"")],
        # A record that is announced with 16 KB, and comes byte by byte.
        [tunnel_proxy.ESTABLISHED, b"\x16\x03\x03\x40\x00", repeat(b"\x02")],
    ],
    ids=["no answer", "silent tunnel", "dripping handshake"],
)
def test_dripping_bytes_within_tls_keep_one_deadline(
    environment: pytest.MonkeyPatch, tls: ssl.SSLContext, pieces: list[bytes | Iterator[bytes]]
) -> None:
    with tunnel_proxy.serve(*pieces, tls=tls) as proxy:
        environment.setenv("HTTPS_PROXY", proxy.url)
        started = time.monotonic()

        code = error_code(lambda: http_client.post(URL, b"", {}, SHORT_LIMITS))

    assert code == ("timeout" if len(pieces) > 1 else "proxy_timeout")
    assert time.monotonic() - started < 3 * SHORT_LIMITS.total_seconds


@pytest.mark.parametrize("piece", [b"X: a\r\n", b"a"])
def test_dripping_reply_within_tls_keeps_the_deadline(
    environment: pytest.MonkeyPatch, tls: ssl.SSLContext, piece: bytes
) -> None:
    head = OK_STATUS_LINE if piece.endswith(b"\n") else OK_STATUS_LINE + b"\r\n"
    with (
        serve_raw(head, repeat(piece), tls=tls) as product,
        tunnel_proxy.serve(target_port=product.port, tls=tls) as proxy,
    ):
        environment.setenv("HTTPS_PROXY", proxy.url)

        assert error_code(lambda: http_client.post(URL, b"", {}, SHORT_LIMITS)) == "timeout"
