"""POST to a product: what is sent, what counts as a reply, which addresses are refused, and the code of each error."""

import socket
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app import http_client
from app.http_client import Reply, RequestFailed, RequestLimits
from tests.support import factories
from tests.support.ports import free_port
from tests.support.raw_http_server import OK_STATUS_LINE, SHORT_LIMITS, error_code, post_to, serve_raw

PRIVATE_HOSTS = [
    "127.0.0.1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "0.0.0.0",  # noqa: S104  # nothing listens here
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::7f00:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:0:7f00:1]",
    "[64:ff9b::a00:1]",
    "[2002:7f00:1::]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
]


def test_post_sends_the_body_and_returns_the_reply() -> None:
    with serve_raw(OK_STATUS_LINE + b'Content-Length: 9\r\nRetry-After: 5\r\n\r\n{"url":1}') as product:
        reply = http_client.post(product.url, b'{"a": 1}', {"webhook-id": "msg_1"}, RequestLimits(allow_private=True))

    assert reply == Reply(200, b'{"url":1}', 5.0)
    assert product.requests[0].startswith(b"POST /hand-offs?to=acme HTTP/1.1\r\n")
    assert product.requests[0].endswith(b'\r\n\r\n{"a": 1}')
    assert product.request_headers["webhook-id"] == "msg_1"
    assert product.request_headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [204, 301, 400, 404, 410, 429, 500, 599])
def test_any_status_is_a_reply(status: int) -> None:
    with serve_raw(b"HTTP/1.1 %d Whatever\r\nConnection: close\r\n\r\n" % status) as product:
        assert post_to(product) == Reply(status, b"", None)


@pytest.mark.parametrize("location", ["/elsewhere", "http://[", "//127.0.0.1:1/", "gopher://x"])
def test_redirect_is_a_reply_and_is_not_followed(location: str) -> None:
    redirect = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    with serve_raw(redirect.encode()) as product:
        assert post_to(product).status == 307

    assert product.connections == 1


def test_chunked_body_is_joined() -> None:
    with serve_raw(
        OK_STATUS_LINE + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n"
    ) as product:
        assert post_to(product).body == b"abcde"


def test_body_without_length_ends_with_the_connection() -> None:
    with serve_raw(OK_STATUS_LINE + b"\r\nabc") as product:
        assert post_to(product).body == b"abc"


def test_plain_http_takes_no_proxy_and_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password sesame")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in factories.PROXY_VARIABLES:
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    with serve_raw(OK_STATUS_LINE + b"\r\n") as product:
        assert post_to(product).status == 200

    assert "Authorization" not in product.request_headers


def test_cookie_is_not_sent_back() -> None:
    with serve_raw(OK_STATUS_LINE + b"Set-Cookie: a=b; Path=/\r\nConnection: close\r\n\r\n") as product:
        post_to(product)
        post_to(product)

    assert [b"cookie" in request.lower() for request in product.requests] == [False, False]


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_private_address_is_refused(host: str) -> None:
    with serve_raw(OK_STATUS_LINE + b"\r\n") as product, serve_raw(OK_STATUS_LINE + b"\r\n", host="::1") as product_v6:
        for port in (product.port, product_v6.port):
            for scheme in ("http", "https", "HTTPS"):
                url = f"{scheme}://{host}:{port}/"
                assert error_code(lambda url=url: http_client.post(url, b"", {})) == "private_address"  # type: ignore[misc]

    assert [product.connections, product_v6.connections] == [0, 0]


@pytest.mark.parametrize(("address", "host"), [("127.0.0.1", "localhost"), ("::1", "[::1]")])
def test_private_address_is_called_if_allowed(address: str, host: str) -> None:
    with serve_raw(OK_STATUS_LINE + b"\r\nabc", host=address) as product:
        product.host = host

        assert post_to(product).body == b"abc"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111"])
def test_public_address_is_called(address: str) -> None:
    # The tests block public addresses: the block's warning names the address that was called.
    host = f"[{address}]" if ip_address(address).version == 6 else address

    with pytest.raises(UserWarning, match=address):
        http_client.post(f"http://{host}/", b"", {}, limits=SHORT_LIMITS)


def test_unaccepted_connection_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            limits = RequestLimits(connect_seconds=0.1, total_seconds=5)

            assert error_code(lambda: post_to(f"http://127.0.0.1:{port}/", limits)) == "timeout"


def test_closed_port_is_refused() -> None:
    url = f"http://127.0.0.1:{free_port()}/"

    assert error_code(lambda: post_to(url)) == "refused"


@pytest.mark.parametrize("allow_private", [False, True])
def test_unknown_host_name_is_a_dns_error(allow_private: bool) -> None:
    # The name is longer than DNS allows, so no query leaves this machine.
    url = f"https://{'.'.join(['a' * 60] * 5)}/"

    assert error_code(lambda: http_client.post(url, b"", {}, RequestLimits(allow_private=allow_private))) == "dns"


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize(
    "url",
    ["https://:443/", "https://[::1", "https://a..b/", f"https://{'a' * 64}/", "http://a:70000/", "/"],
)
def test_invalid_url_is_a_url_error(url: str, allow_private: bool) -> None:
    assert error_code(lambda: http_client.post(url, b"", {}, RequestLimits(allow_private=allow_private))) == "url"


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (b"", "closed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "unreadable"),
        (b"\x00\xff" * 1000, "unreadable"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "unreadable"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "unreadable"),
        (OK_STATUS_LINE + b"X-Long: " + b"a" * 200_000 + b"\r\n\r\n", "unreadable"),
        (OK_STATUS_LINE + b"X-Many: aaaaaaaa\r\n" * 20_000 + b"\r\n", "unreadable"),
        (OK_STATUS_LINE + b"Content-Length: 10\r\n\r\nabc", "unreadable"),
        (OK_STATUS_LINE + b"Content-Length: 10, 11\r\n\r\nabc", "unreadable"),
        (OK_STATUS_LINE + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n", "unreadable"),
        (OK_STATUS_LINE + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000, "unreadable"),
        (OK_STATUS_LINE + b"Content-Encoding: gzip\r\n\r\nnot gzip", "unreadable"),
        (OK_STATUS_LINE + b"Content-Encoding: " + b", ".join([b"gzip"] * 9) + b"\r\n\r\nabc", "unreadable"),
    ],
)
def test_invalid_response_has_its_error_code(response: bytes, code: str) -> None:
    with serve_raw(response) as product:
        assert error_code(lambda: post_to(product)) == code


@given(response=st.binary(max_size=200).map(lambda rest: OK_STATUS_LINE + rest) | st.binary(max_size=200))
@example(response=OK_STATUS_LINE + b"Retry-After: \xff\r\n\r\n")
def test_any_bytes_are_a_reply_or_an_error_code(response: bytes) -> None:
    with serve_raw(response) as product, suppress(RequestFailed):
        assert 100 <= post_to(product).status <= 999
