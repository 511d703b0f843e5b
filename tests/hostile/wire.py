"""Speaks to a server byte by byte, as no browser would."""

import socket
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

FORM = "application/x-www-form-urlencoded"
PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Answer:
    """What a server answered; status 0 is a connection closed without a word."""

    status: int
    headers: dict[str, str]
    text: str


def connect(url: str, *, room: int | None = None) -> socket.socket:
    """Return a connection to the server at that URL, with room for so many bytes of unread answers."""
    connection = socket.socket()
    if room:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    connection.settimeout(PATIENCE_SECONDS)
    connection.connect(("127.0.0.1", urlsplit(url).port))
    return connection


def post(body: bytes, *lines: str, path: str = "/", length: int | None = None) -> bytes:
    """Return a POST with that body, the header lines given, and its length unless the lines frame it."""
    framed = any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines)
    usual = [] if framed else [f"Content-Length: {len(body) if length is None else length}"]
    if not any(line.lower().startswith("content-type") for line in lines):
        usual.append(f"Content-Type: {FORM}")
    head = [f"POST {path} HTTP/1.1", "Host: localhost", *usual, *lines]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def chunked(*pieces: bytes) -> bytes:
    """Return a body in chunks, without the end of the last one."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def exchange(url: str, request: bytes, *, end: bool = False) -> Answer:
    """Send these bytes, then say no more if that is the end of them, and return what is answered."""
    with connect(url) as connection:
        # A server that has heard enough may close while this still speaks.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
            if end:
                connection.shutdown(socket.SHUT_WR)
        return hear(connection)


def hear(connection: socket.socket) -> Answer:
    """Return the answer that is on this connection."""
    response = HTTPResponse(connection)
    try:
        response.begin()
        return Answer(response.status, dict(response.getheaders()), response.read().decode())
    except (HTTPException, ConnectionError):
        return Answer(0, {}, "")


def hear_out(connection: socket.socket) -> str:
    """Return all that is still answered on this connection, to its end."""
    with connection.makefile("rb") as answers:
        return answers.read().decode()
