"""A product's end of a hand-off: a real socket that answers as a test has it, well or badly."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPMessage, parse_headers
from io import BytesIO

import pytest

from app import http_client
from app.http_client import Answer, Bounds, Unanswered

DRIP_SECONDS = 0.02
OK = b"HTTP/1.1 200 OK\r\n"
HASTE = Bounds(connect_seconds=0.3, total_seconds=0.3)


@dataclass
class Product:
    """A product's end of the line: where it listens, how often it was called, and what it was sent."""

    port: int
    host: str = "127.0.0.1"
    scheme: str = "http"
    calls: int = 0
    sent: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/hand-offs?to=acme"

    @property
    def headers(self) -> HTTPMessage:
        return parse_headers(BytesIO(self.sent[0].split(b"\r\n", 1)[1]))


def whole(connection: socket.socket) -> bytes:
    """Return the request that comes, with its body."""
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
def answering(
    *pieces: bytes | Iterator[bytes], host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Product]:
    """Be a product that answers so: at once, and byte by byte what is an iterator; then it closes the connection."""
    over = threading.Event()
    listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    product = Product(listener.getsockname()[1], f"[{host}]" if ":" in host else host, "https" if tls else "http")

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                product.calls += 1
                with suppress(OSError), tls.wrap_socket(connection, server_side=True) if tls else connection as line:
                    product.sent.append(whole(line))
                    for piece in pieces:
                        say(line, piece, over)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield product
        nobody_left_behind()
    finally:
        over.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
    assert not thread.is_alive()


def say(line: socket.socket, piece: bytes | Iterator[bytes], over: threading.Event) -> None:
    if isinstance(piece, bytes):
        line.sendall(piece)
        return
    for drop in piece:
        if over.wait(DRIP_SECONDS):
            return
        line.sendall(drop)


def nobody_left_behind() -> None:
    """Wait until whatever was under way to the product has ended; it must, however long the product goes on."""
    for thread in threading.enumerate():
        if thread.name.startswith("outbound"):
            thread.join(5)
            assert not thread.is_alive()


def post(product: Product | str, bounds: Bounds = http_client.USUAL) -> Answer:
    url = product if isinstance(product, str) else product.url
    return http_client.post(url, b"{}", {"Content-Type": "application/json"}, allow_private=True, bounds=bounds)


def code_of(asking: Callable[[], object]) -> str:
    with pytest.raises(Unanswered) as refused:
        asking()
    return refused.value.code
