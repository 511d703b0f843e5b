"""A product's server on a raw socket, which answers hand-offs with the bytes a test chooses."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPMessage, parse_headers
from io import BytesIO

import pytest

from app import http_client
from app.http_client import Reply, RequestFailed, RequestLimits

BYTE_INTERVAL_SECONDS = 0.02
OK_STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
SHORT_LIMITS = RequestLimits(connect_seconds=0.3, total_seconds=0.3)


@dataclass
class RawServer:
    """Where the product listens, how many connections it accepted, and the requests it received."""

    port: int
    host: str = "127.0.0.1"
    scheme: str = "http"
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/hand-offs?to=acme"

    @property
    def request_headers(self) -> HTTPMessage:
        return parse_headers(BytesIO(self.requests[0].split(b"\r\n", 1)[1]))


def read_request(connection: socket.socket) -> bytes:
    """Return one request, head and body; ConnectionError if it ends before its head does."""
    with connection.makefile("rb") as lines:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = lines.readline()
            if not line:
                raise ConnectionError
            head += line
        length = int(parse_headers(BytesIO(head.split(b"\r\n", 1)[1]))["Content-Length"] or 0)
        return head + lines.read(length)


@contextmanager
def serve_raw(
    *pieces: bytes | Iterator[bytes], host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[RawServer]:
    """Serve a product that answers with these pieces, an iterator's bytes 20 ms apart, and closes the connection."""
    stopped = threading.Event()
    listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    product = RawServer(listener.getsockname()[1], f"[{host}]" if ":" in host else host, "https" if tls else "http")

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                product.connections += 1
                with suppress(OSError), tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
                    product.requests.append(read_request(stream))
                    for piece in pieces:
                        send_piece(stream, piece, stopped)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield product
        wait_for_client_threads()
    finally:
        stopped.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)
    assert not thread.is_alive()


def send_piece(connection: socket.socket, piece: bytes | Iterator[bytes], stopped: threading.Event) -> None:
    if isinstance(piece, bytes):
        connection.sendall(piece)
        return
    for chunk in piece:
        if stopped.wait(BYTE_INTERVAL_SECONDS):
            return
        connection.sendall(chunk)


def wait_for_client_threads() -> None:
    """Wait until the client's threads have ended: they must, even if the product never stops sending."""
    for thread in threading.enumerate():
        if thread.name.startswith("outbound"):
            thread.join(30)
            assert not thread.is_alive()


def post_to(target: RawServer | str, limits: RequestLimits = http_client.DEFAULT_LIMITS) -> Reply:
    url = target if isinstance(target, str) else target.url
    limits = replace(limits, allow_private=True)
    return http_client.post(url, b"{}", {"Content-Type": "application/json"}, limits)


def error_code(request: Callable[[], object]) -> str:
    with pytest.raises(RequestFailed) as refused:
        request()
    return refused.value.code
