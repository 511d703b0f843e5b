"""Sends raw bytes to an HTTP server, as no browser would."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class RawResponse:
    """A server's response; status 0 if it closed the connection without one."""

    status: int
    headers: dict[str, str]
    text: str


def open_connection(url: str, *, receive_buffer_bytes: int | None = None) -> socket.socket:
    """Connect to the server; a small receive buffer makes it block while its responses are not read."""
    connection = socket.socket()
    if receive_buffer_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    connection.settimeout(TIMEOUT_SECONDS)
    connection.connect(("127.0.0.1", urlsplit(url).port))
    return connection


@contextmanager
def open_connections(
    url: str, request: bytes, count: int, receive_buffer_bytes: int | None = None
) -> Iterator[list[socket.socket]]:
    """Open connections, send the bytes on each, and keep them open for the `with` block."""
    with ExitStack() as stack:
        connections = [
            stack.enter_context(open_connection(url, receive_buffer_bytes=receive_buffer_bytes)) for _ in range(count)
        ]
        for connection in connections:
            connection.sendall(request)
        yield connections


def post_bytes(body: bytes, *header_lines: str, path: str = "/", length: int | None = None) -> bytes:
    """Return the bytes of a POST; its Content-Length is the body's unless `length` or a header line says otherwise."""
    has_framing = any(line.lower().startswith(("content-length", "transfer-encoding")) for line in header_lines)
    headers = [] if has_framing else [f"Content-Length: {len(body) if length is None else length}"]
    if not any(line.lower().startswith("content-type") for line in header_lines):
        headers.append(f"Content-Type: {FORM_CONTENT_TYPE}")
    head = [f"POST {path} HTTP/1.1", "Host: localhost", *headers, *header_lines]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def unfinished_chunks(*pieces: bytes) -> bytes:
    """Return a chunked body without the final empty chunk."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def send_and_receive(url: str, request: bytes, *, close_writing: bool = False) -> RawResponse:
    """Send the bytes, shut down writing if asked, and return the response."""
    with open_connection(url) as connection:
        # A server that refuses the request may close the connection before it has read all of it.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
            if close_writing:
                connection.shutdown(socket.SHUT_WR)
        return read_response(connection)


def read_response(connection: socket.socket) -> RawResponse:
    """Read one response from the connection."""
    response = HTTPResponse(connection)
    try:
        response.begin()
        return RawResponse(response.status, dict(response.getheaders()), response.read().decode())
    except (HTTPException, ConnectionError):
        return RawResponse(0, {}, "")


def read_to_end(connection: socket.socket) -> str:
    """Read from the connection until the server closes it."""
    with connection.makefile("rb") as stream:
        return stream.read().decode()
