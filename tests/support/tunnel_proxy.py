"""An HTTP proxy on this machine: for any name it opens a tunnel to one server, or answers with a test's bytes."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPMessage, parse_headers
from io import BytesIO

from tests.support.raw_http_server import send_piece

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class TunnelProxy:
    """Where the proxy listens, and the head of each request that it got."""

    port: int
    scheme: str = "http"
    heads: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    @property
    def targets(self) -> list[str]:
        """What each request asked to be connected to."""
        lines = [head.split(b"\r\n")[0].split(b" ") for head in self.heads]
        assert all(method == b"CONNECT" for method, _, _ in lines)
        return [target.decode() for _, target, _ in lines]

    @property
    def headers(self) -> HTTPMessage:
        """The headers of the first request."""
        return parse_headers(BytesIO(self.heads[0].split(b"\r\n", 1)[1]))


@contextmanager
def serve(
    *pieces: bytes | Iterator[bytes], target_port: int | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[TunnelProxy]:
    """Serve a proxy that answers with these pieces, then passes bytes on between the client and that port, if any."""
    stopped, threads = threading.Event(), list[threading.Thread]()
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = TunnelProxy(listener.getsockname()[1], "https" if tls else "http")

    def serve_one(accepted: socket.socket) -> None:
        with suppress(OSError), tls.wrap_socket(accepted, server_side=True) if tls else accepted as client:
            proxy.heads.append(_read_head(client))
            for piece in pieces or (ESTABLISHED,):
                send_piece(client, piece, stopped)
            if target_port:
                with socket.create_connection(("127.0.0.1", target_port)) as target:
                    _pass_on(client, target)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threads.append(threading.Thread(target=serve_one, args=(client,)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield proxy
    finally:
        stopped.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (acceptor, *threads):
            thread.join(30)
            assert not thread.is_alive()


def _read_head(client: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        received = client.recv(1)
        if not received:
            raise ConnectionError
        head += received
    return head


def _pass_on(client: socket.socket, target: socket.socket) -> None:
    back = threading.Thread(target=_copy, args=(target, client))
    back.start()
    _copy(client, target)
    back.join(30)


def _copy(source: socket.socket, destination: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            destination.sendall(chunk)
    with suppress(OSError):
        destination.shutdown(socket.SHUT_WR)
