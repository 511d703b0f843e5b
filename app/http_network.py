"""Connects to a host on the internet: to its public addresses only, to each in turn, and by one deadline.

Deadlines are on the monotonic clock. A socket's own timeout starts again at each read and write, and for each address.
"""

import os
import socket
import ssl
import time
from contextlib import ExitStack
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, cast

import certifi
from httpcore2 import ConnectError, NetworkStream, WriteError
from requests_hardened.ip_filter import EXTRA_BLOCKED_NET_RANGES, InvalidIPAddress
from urllib3.util.ssltransport import SSLTransport

from app.deadline import bounded_call

# IANA has assigned public hosts from this range only. Outside it are old private and IPv4-in-IPv6 ranges.
GLOBAL_UNICAST = ip_network("2000::/3")

SocketAddress = tuple[socket.AddressFamily, Any]
# A socket, also one with TLS; or TLS within that of a proxy.
Connected = socket.socket | SSLTransport


class DeadlineStream(NetworkStream):
    """A connection for httpcore. Each of its steps has the time that is left, and raises TimeoutError when none is."""

    def __init__(self, connected: Connected, deadline: float) -> None:
        self._socket = cast(socket.socket, connected)
        self._deadline = deadline
        self._has_received = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the deadline counts
        """Return the next bytes, or none at the end; ConnectionResetError if it ends before the first."""
        self._socket.settimeout(_seconds_until(self._deadline))
        received = self._socket.recv(max_bytes)
        if not received and not self._has_received:
            raise ConnectionResetError
        self._has_received = True
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send all bytes; WriteError if the server has closed: then httpcore reads what it responded before that."""
        unsent = memoryview(buffer)
        while unsent:  # `sendall` over TLS would start its timeout again with each record
            self._socket.settimeout(_seconds_until(self._deadline))
            try:
                unsent = unsent[self._socket.send(unsent) :]
            except ConnectionError as error:
                raise WriteError from error

    def close(self) -> None:
        """Close the connection, without a wait."""
        self._socket.close()


class _DeadlineSocket:
    """What `SSLTransport` needs of a socket: each step has the time that is left, however many it takes."""

    def __init__(self, connected: ssl.SSLSocket, deadline: float) -> None:
        stream = DeadlineStream(connected, deadline)
        self.recv, self.sendall, self.close = stream.read, stream.write, stream.close

    def settimeout(self, seconds: float | None) -> None:
        """Change nothing: the deadline counts."""


def connect(host: str, port: int, deadline: float, connect_seconds: float, *, allow_private: bool) -> socket.socket:
    """Return a connection to the first of the host's addresses that accepts one in `connect_seconds`.

    Raises:
        socket.gaierror, UnicodeError, TimeoutError: the name cannot be resolved.
        InvalidIPAddress: every address is private.
        ConnectError: no address accepted; its cause is the failure that says most.
    """
    # The name is resolved once: the addresses that are checked here are the ones that are called.
    addresses = [found for found in _resolve(host, port, deadline) if allow_private or _is_public(found[1][0])]
    if not addresses:
        raise InvalidIPAddress(host)
    failures: list[OSError] = []
    for i, address in enumerate(addresses):
        # Equal shares for the addresses that are left and for the request: none uses up the time of the others.
        share = _seconds_until(deadline) / (len(addresses) - i + 1)
        try:
            return _connect_to(address, min(connect_seconds, share))
        except OSError as error:
            failures.append(error)
    clear_failures = (error for error in failures if isinstance(error, TimeoutError | ConnectionRefusedError))
    raise ConnectError from next(clear_failures, failures[0])


def is_private_literal(host: str) -> bool:
    """Return whether the host is `localhost` or a private address, in any spelling; no name is looked up."""
    host = host.rstrip(".")
    if f".{host}".endswith(".localhost"):
        return True
    try:
        # 127.1, 0x7f000001 and 2130706433 are spellings of 127.0.0.1.
        return not _is_public(host if ":" in host else socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return False


def encrypt(connected: socket.socket, host: str, deadline: float) -> Connected:
    """Return the connection over TLS, with a certificate for the host; the old one is closed if that fails.

    It may have TLS already, with a proxy.
    """
    with ExitStack() as on_failure:
        on_failure.callback(connected.close)
        # A missing file counts as not set, as it does in Python's ssl, which SMTP uses.
        path = os.environ.get("SSL_CERT_FILE", "")
        context = ssl.create_default_context(cafile=path if Path(path).is_file() else certifi.where())
        context.set_alpn_protocols(["http/1.1"])
        encrypted: Connected
        if isinstance(connected, ssl.SSLSocket):
            # Python's own TLS sockets cannot be nested.
            encrypted = SSLTransport(cast(socket.socket, _DeadlineSocket(connected, deadline)), context, host)
        else:
            connected.settimeout(_seconds_until(deadline))
            encrypted = context.wrap_socket(connected, server_hostname=host)
        on_failure.pop_all()
        return encrypted


def _resolve(host: str, port: int, deadline: float) -> list[SocketAddress]:
    found = bounded_call(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM), _seconds_until(deadline))
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _is_public(address: str) -> bool:
    ip = ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.version == 6 and ip not in GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in EXTRA_BLOCKED_NET_RANGES)


def _connect_to(address: SocketAddress, seconds: float) -> socket.socket:
    connecting = socket.socket(address[0], socket.SOCK_STREAM)
    try:
        connecting.settimeout(seconds)
        connecting.connect(address[1])
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # otherwise the body waits for an answer
    except BaseException:
        connecting.close()
        raise
    return connecting


def _seconds_until(deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return seconds
