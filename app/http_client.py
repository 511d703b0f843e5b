"""Sends one POST to the product, limited in time and size, and never to a private address."""

import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from requests import PreparedRequest, Request, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidURL, MissingSchema, SSLError
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

from app.errors import FoyerError

CHUNK_BYTES = 8192
MAX_RETRY_AFTER_SECONDS = 86400.0
# IANA has assigned public hosts from this range only. Outside it are old private and IPv4-in-IPv6 ranges.
GLOBAL_UNICAST = ip_network("2000::/3")
# The first row that matches the exception of requests, or one of its causes, gives the code.
ERROR_CODES: tuple[tuple[type[Exception], str], ...] = (
    (InvalidIPAddress, "private_address"),
    (SSLError, "tls"),
    (socket.gaierror, "dns"),
    (TimeoutError, "timeout"),
    (ConnectionRefusedError, "refused"),
    (NewConnectionError, "unreachable"),
    (ConnectionError, "closed"),
    (InvalidURL, "url"),
    (MissingSchema, "url"),
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


DEFAULT_LIMITS = RequestLimits()


class _Connection:
    """One connection, which another thread can abort."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def attach(self, connected: socket.socket) -> None:
        """Store the socket for `abort`, or raise TimeoutError where `abort` came first."""
        with self._lock:
            self._socket = connected
            if self._is_aborted:
                raise TimeoutError

    def abort(self) -> None:
        """End the reads and writes that wait on the connection, now and later."""
        with self._lock:
            self._is_aborted = True
            if self._socket:
                with suppress(OSError):
                    # SSLSocket.shutdown would drop the TLS state that the other thread is reading with.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket. After an invalid header urllib3 loses it, and would leave it to the garbage collector."""
        with self._lock:
            if self._socket and (descriptor := self._socket.detach()) >= 0:
                socket.close(descriptor)


class _ThreadState(threading.local):
    connection: _Connection


# requests and urllib3 expose a connection only after the headers are read. Each request has a thread of its own.
_THREAD_STATE = _ThreadState()


class _TrackedHTTPConnection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _THREAD_STATE.connection.attach(self.sock)


class _TrackedHTTPSConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _THREAD_STATE.connection.attach(self.sock)


class _TrackedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _TrackedHTTPConnection


class _TrackedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TrackedHTTPSConnection


class _PublicAddressAdapter(IPFilterAdapter):  # type: ignore[misc]  # the library has no types
    """Resolves the name once, checks the address, and connects to that address only."""

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, *verification: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the address that requests connects to.

        Raises:
            InvalidIPAddress: the address is not a public one.
        """
        target, options = super().build_connection_pool_key_attributes(request, *verification)
        address = ip_address(target["host"].strip("[]"))
        if address.version == 6 and address not in GLOBAL_UNICAST:
            raise InvalidIPAddress(address)
        return target, options


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool = False,
    limits: RequestLimits = DEFAULT_LIMITS,
) -> Reply:
    """Send the body, and return the response, whatever its status. Redirects are not followed.

    An HTTPS certificate has to be signed by an authority in certifi, or in `SSL_CERT_FILE` where that is set.

    A body over the limit raises for 2xx, and is truncated for any other status.

    Raises:
        RequestFailed: no response came within the limits, or the address is private.
    """
    connection = _Connection()
    request = Request("POST", url, {**headers, "Accept-Encoding": "identity"}, data=body)
    # A socket's timeout starts again with each byte, and a DNS lookup has none. So this thread waits for another one,
    # and aborts its connection in the end.
    threads = ThreadPoolExecutor(1, "outbound")
    reply = threads.submit(_send_request, connection, request, _build_adapter(url, allow_private), limits)
    threads.shutdown(wait=False)
    try:
        return reply.result(limits.total_seconds)
    except TimeoutError as error:
        raise RequestFailed("timeout") from error
    finally:
        connection.abort()


def _build_adapter(url: str, allow_private: bool) -> HTTPAdapter:
    adapter = HTTPAdapter() if allow_private else _PublicAddressAdapter(is_https_proto=url.lower().startswith("https:"))
    adapter.poolmanager.pool_classes_by_scheme = {"http": _TrackedHTTPPool, "https": _TrackedHTTPSPool}
    return adapter


def _send_request(connection: _Connection, request: Request, adapter: HTTPAdapter, limits: RequestLimits) -> Reply:
    _THREAD_STATE.connection = connection
    timeouts = (limits.connect_seconds, None)
    try:
        # Not a requests session: that uses proxies, netrc and cookies, and reads the whole body of a redirect.
        with (
            closing(connection),
            closing(adapter),
            adapter.send(request.prepare(), stream=True, timeout=timeouts, verify=_ca_bundle()) as response,
        ):
            retry_after = _parse_retry_after(response.headers.get("Retry-After", ""))
            return Reply(response.status_code, _read_body(response, limits.max_body_bytes), retry_after)
    except (OSError, ValueError, HTTPError) as error:
        raise RequestFailed(_error_code(error)) from error


def _ca_bundle() -> str | bool:
    # A missing file counts as not set, as it does in Python's ssl, which SMTP uses.
    path = os.environ.get("SSL_CERT_FILE", "")
    return path if Path(path).is_file() else True


def _read_body(response: Response, max_bytes: int) -> bytes:
    body = b""
    for chunk in response.iter_content(CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            break
    if len(body) > max_bytes and response.status_code // 100 == 2:
        raise RequestFailed("too_large")
    return body[:max_bytes]


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
    chain = list(_exception_chain(error))
    return next((code for kind, code in ERROR_CODES if any(isinstance(cause, kind) for cause in chain)), "unreadable")


def _exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__
