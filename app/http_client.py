"""One POST to a seller's product: bounded in time and size, and to no address inside a private network."""

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
# All that IANA has given out for hosts in the open Internet; outside lie old private and IPv4-in-IPv6 ranges.
GLOBAL_UNICAST = ip_network("2000::/3")
# What is found first, in what requests raised and in what led to it, gives the code.
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
    """The product could not be asked, or gave no answer within the bounds.

    `code` is private_address, url, dns, refused, unreachable, tls, timeout, closed, too_large or unreadable.
    """


@dataclass(frozen=True)
class Reply:
    """What the product answered; `retry_after` is in seconds from now."""

    status: int
    body: bytes
    retry_after_seconds: float | None


@dataclass(frozen=True)
class RequestLimits:
    """How long a product is waited for, from the name's look-up to the last byte, and how much of it is read."""

    connect_seconds: float = 3
    total_seconds: float = 10
    max_body_bytes: int = 64 * 1024


DEFAULT_LIMITS = RequestLimits()


class _Connection:
    """The connection to one product, which can be cut from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def attach(self, connected: socket.socket) -> None:
        """Keep the socket for `cut`; refuse it where nobody waits for the answer any more."""
        with self._lock:
            self._socket = connected
            if self._is_aborted:
                raise TimeoutError

    def abort(self) -> None:
        """End whatever waits on the connection, now or later."""
        with self._lock:
            self._is_aborted = True
            if self._socket:
                with suppress(OSError):
                    # Not the TLS socket's own, which takes away what the other thread is reading with.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back, also one that urllib3 lost sight of at an odd header and left to the collector."""
        with self._lock:
            if self._socket and (descriptor := self._socket.detach()) >= 0:
                socket.close(descriptor)


class _ThreadState(threading.local):
    connection: _Connection


# Neither requests nor urllib3 hands a connection on before it has read the headers; each exchange has its thread.
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


class _PublicAddressAdapter(IPFilterAdapter):  # type: ignore[misc]  # it has no types
    """Looks the name up once, and connects to no other address than the one it has judged."""

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, *verification: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what requests connects to."""
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
    """Send the body, and return what the product answers with any status; redirects are not followed.

    By HTTPS, the product's certificate has to be signed by an authority in certifi or, instead, in `SSL_CERT_FILE`.

    Of an answer other than 2xx that is too large, only the beginning is kept.

    Raises:
        Unanswered: no answer came within the bounds, or the address must not be spoken to.
    """
    line = _Connection()
    request = Request("POST", url, {**headers, "Accept-Encoding": "identity"}, data=body)
    # A timeout of a socket starts anew with every byte, and looking a name up has none: somebody has to look on.
    threads = ThreadPoolExecutor(1, "outbound")
    answer = threads.submit(_send_request, line, request, _build_adapter(url, allow_private), limits)
    threads.shutdown(wait=False)
    try:
        return answer.result(limits.total_seconds)
    except TimeoutError as error:
        raise RequestFailed("timeout") from error
    finally:
        line.abort()


def _build_adapter(url: str, allow_private: bool) -> HTTPAdapter:
    adapter = HTTPAdapter() if allow_private else _PublicAddressAdapter(is_https_proto=url.lower().startswith("https:"))
    adapter.poolmanager.pool_classes_by_scheme = {"http": _TrackedHTTPPool, "https": _TrackedHTTPSPool}
    return adapter


def _send_request(connection: _Connection, request: Request, adapter: HTTPAdapter, limits: RequestLimits) -> Reply:
    _THREAD_STATE.connection = connection
    patience = (limits.connect_seconds, None)
    try:
        # Below requests' sessions: those know proxies, netrc and cookies, and read the whole body of a redirect.
        with (
            closing(connection),
            closing(adapter),
            adapter.send(request.prepare(), stream=True, timeout=patience, verify=_ca_bundle()) as response,
        ):
            retry_after = _parse_retry_after(response.headers.get("Retry-After", ""))
            return Reply(response.status_code, _read_body(response, limits.max_body_bytes), retry_after)
    except (OSError, ValueError, HTTPError) as error:
        raise RequestFailed(_error_code(error)) from error


def _ca_bundle() -> str | bool:
    # Python's own ssl, which mail goes by, takes a file that is not there for none, too.
    own = os.environ.get("SSL_CERT_FILE", "")
    return own if Path(own).is_file() else True


def _read_body(response: Response, max_bytes: int) -> bytes:
    body = b""
    for piece in response.iter_content(CHUNK_BYTES):
        body += piece
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
    causes = list(_exception_chain(error))
    return next((code for kind, code in ERROR_CODES if any(isinstance(cause, kind) for cause in causes)), "unreadable")


def _exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__
