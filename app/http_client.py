"""Sends one POST to the product, limited in time and size, and never to a private address."""

import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from ipaddress import ip_address, ip_network
from pathlib import Path
from ssl import SSLError

import certifi
from requests_hardened.ip_filter import InvalidIPAddress, filter_host
from urllib3.connection import HTTPConnection, HTTPSConnection, port_by_scheme
from urllib3.exceptions import HTTPError, LocationValueError, NewConnectionError
from urllib3.util import Url, parse_url

from app.errors import FoyerError

MAX_RETRY_AFTER_SECONDS = 86400.0
# IANA has assigned public hosts from this range only. Outside it are old private and IPv4-in-IPv6 ranges.
GLOBAL_UNICAST = ip_network("2000::/3")
# The first row that matches the exception, or one of its causes, gives the code.
ERROR_CODES: tuple[tuple[type[Exception], str], ...] = (
    (InvalidIPAddress, "private_address"),
    (SSLError, "tls"),
    (socket.gaierror, "dns"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "refused"),
    (NewConnectionError, "unreachable"),
    (ConnectionError, "closed"),
    (LocationValueError, "url"),
    (UnicodeError, "url"),
)


class RequestFailed(FoyerError):
    """No response came within the limits, or the request must not be sent.

    `code` is private_address, url, dns, refused, unreachable, tls, timeout, closed, too_large or unreadable.
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
    """Send the body, and return the response, whatever its status. Redirects are not followed.

    An HTTPS certificate has to be signed by an authority in certifi, or in `SSL_CERT_FILE` where that is set.
    A body over the limit raises for 2xx, and is truncated for any other status.

    Raises:
        RequestFailed: no response came within the limits, or the address is private.
    """
    deadline = time.monotonic() + limits.total_seconds
    sockets: list[socket.socket] = []

    def send() -> Reply:
        target = parse_url(url)
        with _connect(target, limits) as connection:
            sockets.append(connection.sock)
            # Past the deadline, `post` has looked for the sockets already.
            if time.monotonic() < deadline:
                return _exchange(connection, target, body, headers, limits.max_body_bytes)
        raise TimeoutError

    # A socket's timeout starts again with each byte, and a DNS lookup has none: so this thread enforces the limit.
    threads = ThreadPoolExecutor(1, "outbound")
    try:
        return threads.submit(send).result(limits.total_seconds)
    except (OSError, ValueError, HTTPException, HTTPError) as error:
        raise RequestFailed(_error_code(error)) from error
    finally:
        threads.shutdown(wait=False)
        for connected in sockets:
            with suppress(OSError):
                # SSLSocket.shutdown would drop the TLS state that the other thread is reading with.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)


@contextmanager
def _connect(target: Url, limits: RequestLimits) -> Iterator[HTTPConnection]:
    with closing(_build_connection(target, limits)) as connection:
        connection.connect()
        connection.timeout = None
        connected = connection.sock
        try:
            yield connection
        finally:
            # After an invalid header urllib3 loses the socket, and would leave it to the garbage collector.
            with suppress(OSError):
                socket.close(connected.detach())


def _build_connection(target: Url, limits: RequestLimits) -> HTTPConnection:
    if not target.host or target.scheme not in port_by_scheme:
        raise LocationValueError("no host, or neither http nor https")
    port, timeout = target.port or port_by_scheme[target.scheme], limits.connect_seconds
    # The name is resolved once: the address that was checked is the one that is called.
    address = target.host if limits.allow_private else _resolve_public_address(target.host.strip("[]"), port)
    if target.scheme == "http":
        return HTTPConnection(address, port, timeout=timeout)
    # A missing file counts as not set, as it does in Python's ssl, which SMTP uses.
    path = os.environ.get("SSL_CERT_FILE", "")
    ca_certs = path if Path(path).is_file() else certifi.where()
    return HTTPSConnection(address, port, timeout=timeout, server_hostname=target.host, ca_certs=ca_certs)


def _resolve_public_address(host: str, port: int) -> str:
    address: str = filter_host(host, port, allow_loopback=False)
    ip = ip_address(address.strip("[]"))
    if ip.version == 6 and ip not in GLOBAL_UNICAST:
        raise InvalidIPAddress(ip)
    return address


def _exchange(connection: HTTPConnection, target: Url, body: bytes, headers: Mapping[str, str], max_size: int) -> Reply:
    headers = {**headers, "Accept-Encoding": "identity", "Host": target.netloc or ""}
    connection.request("POST", target.request_uri, body, headers, preload_content=False)
    with closing(connection.getresponse()) as response:
        received = response.read(max_size + 1)
    if len(received) > max_size and response.status // 100 == 2:
        raise RequestFailed("too_large")
    retry_after = _parse_retry_after(response.headers.get("Retry-After", ""))
    return Reply(response.status, received[:max_size], retry_after)


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


def _error_code(error: BaseException) -> str:
    chain = [error]
    while cause := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(cause)
    return next((code for kind, code in ERROR_CODES if any(isinstance(link, kind) for link in chain)), "unreadable")
