"""Speaks to a server byte by byte, as no browser would."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class RawResponse:
    """What a server answered; status 0 is a connection closed without a word."""

    status: int
    headers: dict[str, str]
    text: str


def open_connection(url: str, *, receive_buffer_bytes: int | None = None) -> socket.socket:
    """Return a connection to the server at that URL, with room for so many bytes of unread answers."""
    connection = socket.socket()
    if receive_buffer_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    connection.settimeout(TIMEOUT_SECONDS)
    connection.connect(("127.0.0.1", urlsplit(url).port))
    return connection


def post_bytes(body: bytes, *header_lines: str, path: str = "/", length: int | None = None) -> bytes:
    """Return a POST with that body, the header lines given, and its length unless the lines frame it."""
    framed = any(line.lower().startswith(("content-length", "transfer-encoding")) for line in header_lines)
    usual = [] if framed else [f"Content-Length: {len(body) if length is None else length}"]
    if not any(line.lower().startswith("content-type") for line in header_lines):
        usual.append(f"Content-Type: {FORM_CONTENT_TYPE}")
    head = [f"POST {path} HTTP/1.1", "Host: localhost", *usual, *header_lines]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def unfinished_chunks(*pieces: bytes) -> bytes:
    """Return a body in chunks, without the end of the last one."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def send_and_receive(url: str, request: bytes, *, close_writing: bool = False) -> RawResponse:
    """Send these bytes, then say no more if that is the end of them, and return what is answered."""
    with open_connection(url) as connection:
        # A server that has heard enough may close while this still speaks.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
            if close_writing:
                connection.shutdown(socket.SHUT_WR)
        return read_response(connection)


def read_response(connection: socket.socket) -> RawResponse:
    """Return the answer that is on this connection."""
    response = HTTPResponse(connection)
    try:
        response.begin()
        return RawResponse(response.status, dict(response.getheaders()), response.read().decode())
    except (HTTPException, ConnectionError):
        return RawResponse(0, {}, "")


def read_to_end(connection: socket.socket) -> str:
    """Return all that is still answered on this connection, to its end."""
    with connection.makefile("rb") as answers:
        return answers.read().decode()
