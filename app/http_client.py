"""Sends one POST to the product, limited in time and size, directly or through a proxy, and to no private address."""

import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO

from httpcore2 import URL, ConnectError, HTTP11Connection, NetworkError, ProtocolError, Response
from requests_hardened.ip_filter import InvalidIPAddress
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError, LocationValueError
from urllib3.util import Url, parse_url

from app import http_network, http_proxy
from app.errors import FoyerError
from app.http_network import DeadlineStream
from app.http_proxy import DEFAULT_PORTS, Proxy, TunnelRefused

MAX_RETRY_AFTER_SECONDS = 86400.0
# What can go wrong until the last byte of the response.
FAILURES = (OSError, ValueError, HTTPError, NetworkError, ProtocolError)
# The first row that matches the exception, or one of its causes, gives the code.
ERROR_CODES: tuple[tuple[type[Exception], str], ...] = (
    (InvalidIPAddress, "private_address"),
    (ssl.SSLError, "tls"),
    (socket.gaierror, "dns"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "refused"),
    (ConnectError, "unreachable"),
    (ConnectionError, "closed"),
    (LocationValueError, "url"),
    (UnicodeError, "url"),
)


class RequestFailed(FoyerError):
    """No response came within the limits, or the request must not be sent.

    `code` is private_address, url, dns, refused, unreachable, tls, timeout, closed, too_large or unreadable. Where a
    proxy is the reason, it is `proxy_` and such a code, or `proxy_` and the proxy's status, as in proxy_407: then the
    product has received nothing.
    """


@dataclass(frozen=True)
class Reply:
    """The product's response. `retry_after_seconds` counts from now."""

    status: int
    body: bytes
    retry_after_seconds: float | None


@dataclass(frozen=True)
class RequestLimits:
    """Limits of one request. `total_seconds` is from the DNS lookup to the last byte of the response."""

    connect_seconds: float = 3
    total_seconds: float = 10
    max_body_bytes: int = 64 * 1024
    allow_private: bool = False


DEFAULT_LIMITS = RequestLimits()


def post(url: str, body: bytes, headers: Mapping[str, str], limits: RequestLimits = DEFAULT_LIMITS) -> Reply:
    """Send the body, and return the final response, whatever its status. Redirects are not followed.

    Where the host has several addresses, they are tried in turn until one accepts the connection. An HTTPS certificate
    has to be signed by an authority in certifi, or in `SSL_CERT_FILE` where that is set. A body over the limit raises
    for 2xx, and is truncated for any other status.

    With HTTPS_PROXY, a name is looked up by the proxy: whether its addresses are private is not known here.

    Raises:
        RequestFailed: no response came within the limits, or every address is private.
    """
    deadline = time.monotonic() + limits.total_seconds
    with _error_codes():
        target = parse_url(url)
        address = _parse_address(target)
        fields = {**headers, "Accept-Encoding": "identity", "Host": target.netloc or ""}
        with (
            HTTP11Connection(address.origin, _open_stream(target, address, limits, deadline)) as connection,
            connection.stream("POST", address, headers=list(fields.items()), content=body) as response,
        ):
            return _read_reply(response, limits.max_body_bytes)


def try_proxy(url: str, limits: RequestLimits = DEFAULT_LIMITS) -> Proxy | None:
    """Return the proxy for requests to the URL, after it has connected to the host; None where they go directly.

    Nothing is sent to the host.

    Raises:
        RequestFailed: the URL or HTTPS_PROXY is invalid, or the proxy is away or does not connect to the host.
    """
    deadline = time.monotonic() + limits.total_seconds
    with _error_codes():
        address = _parse_address(parse_url(url))
    with _error_codes("proxy_"):
        if proxy := http_proxy.find(url):
            http_proxy.connect(proxy, address.origin, deadline, limits.connect_seconds).close()
        return proxy


def _parse_address(target: Url) -> URL:
    if not target.host or target.scheme not in DEFAULT_PORTS:
        raise LocationValueError("no host, or neither http nor https")
    port = target.port or DEFAULT_PORTS[target.scheme]
    return URL(scheme=target.scheme, host=target.host.strip("[]"), port=port, target=target.request_uri)


def _open_stream(target: Url, address: URL, limits: RequestLimits, deadline: float) -> DeadlineStream:
    host, port, seconds = address.host.decode(), address.origin.port, limits.connect_seconds
    if not limits.allow_private and http_network.is_private_literal(host):
        raise InvalidIPAddress(host)
    with _error_codes("proxy_"):
        proxy = http_proxy.find(target.url)
        tunnel = http_proxy.connect(proxy, address.origin, deadline, seconds) if proxy else None
    plain = tunnel or http_network.connect(host, port, deadline, seconds, allow_private=limits.allow_private)
    is_encrypted = address.scheme == b"https"
    return DeadlineStream(http_network.encrypt(plain, host.rstrip("."), deadline) if is_encrypted else plain, deadline)


@contextmanager
def _error_codes(prefix: str = "") -> Iterator[None]:
    try:
        yield
    except TunnelRefused as error:
        raise RequestFailed(f"{prefix}{error.code}") from error
    except FAILURES as error:
        raise RequestFailed(f"{prefix}{_find_code(error)}") from error


def _read_reply(response: Response, max_size: int) -> Reply:
    received = bytearray()
    for chunk in response.iter_stream():
        received += chunk
        if len(received) > max_size:
            break
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}
    # Some proxies compress although we ask for no compression. urllib3 inflates no more than is read.
    encoding = {"Content-Encoding": headers.get("content-encoding", "")}
    inflated = HTTPResponse(BytesIO(received), encoding, preload_content=False).read(max_size + 1)
    if max(len(received), len(inflated)) > max_size and response.status // 100 == 2:
        raise RequestFailed("too_large")
    return Reply(response.status, inflated[:max_size], _parse_retry_after(headers.get("retry-after", "")))


def _parse_retry_after(retry_after: str) -> float | None:
    try:
        if re.fullmatch(r"[+-]?\d+(\.\d+)?", retry_after, re.ASCII):
            seconds = float(retry_after)
        else:
            date = parsedate_to_datetime(retry_after)
            seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _find_code(error: BaseException) -> str:
    chain = [error]
    while cause := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(cause)
    return next((code for kind, code in ERROR_CODES if any(isinstance(link, kind) for link in chain)), "unreadable")
