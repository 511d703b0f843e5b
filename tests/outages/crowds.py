"""Crowds of connections: one thread opens them, lets them drip, and replaces those that were closed."""

import itertools
import math
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.hostile import raw_http
from tests.hostile.raw_http import post_bytes
from tests.support.factories import TOKEN_FIELD

TICK_SECONDS = 0.02
DRIP = b"a"
# A crowd that the server closes as a whole comes back at this pace.
OPENED_PER_SECOND = 150
READ_BYTES = 65536


class Crowd:
    """Keeps connections open for the time of a `with` block; each sends a request, or the beginning of one.

    size: how many are open at most.
    per_second: how many are opened at most.
    drip_seconds: after each such interval, each sends one more byte.
    leaves_with_answer: a connection is closed, and replaced, once something has been received on it.
    """

    def __init__(
        self,
        port: int,
        request: Callable[[], bytes],
        *,
        size: float = math.inf,
        per_second: float = OPENED_PER_SECOND,
        drip_seconds: float = math.inf,
        leaves_with_answer: bool = False,
    ) -> None:
        self._url, self._request = f"http://127.0.0.1:{port}/", request
        self._size, self._per_second, self._drip_seconds = size, per_second, drip_seconds
        self._leaves_with_answer = leaves_with_answer
        self._selector = selectors.DefaultSelector()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crowd")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        for connection in self._connections():
            self._close(connection)
        self._selector.close()

    def _connections(self) -> list[socket.socket]:
        return [key.fileobj for key in self._selector.get_map().values() if isinstance(key.fileobj, socket.socket)]

    def _run(self) -> None:
        next_open_at = time.monotonic()
        next_drip_at = next_open_at + self._drip_seconds
        while not self._stopped.wait(TICK_SECONDS):
            while time.monotonic() >= next_open_at and len(self._selector.get_map()) < self._size:
                next_open_at = max(next_open_at + 1 / self._per_second, time.monotonic() - 1)
                self._open()
            for key, _ in self._selector.select(0):
                if isinstance(key.fileobj, socket.socket):
                    self._receive(key.fileobj)
            if time.monotonic() >= next_drip_at:
                next_drip_at += self._drip_seconds
                for connection in self._connections():
                    self._send(connection, DRIP)

    def _open(self) -> None:
        with suppress(OSError):  # as the server's, a queue of connections can be full
            connection = raw_http.open_connection(self._url)
            self._selector.register(connection, selectors.EVENT_READ)
            self._send(connection, self._request())

    def _send(self, connection: socket.socket, data: bytes) -> None:
        try:
            connection.sendall(data)
        except OSError:
            self._close(connection)

    def _receive(self, connection: socket.socket) -> None:
        received = b""
        with suppress(OSError):
            received = connection.recv(READ_BYTES)
        if not received or self._leaves_with_answer:
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()


def flood(port: int, address: str, per_second: float = 50) -> Crowd:
    """Return landings with made-up tokens from one address."""
    numbers = itertools.count()

    def landing() -> bytes:
        body = f"{TOKEN_FIELD}=made-up-{address}-{next(numbers)}".encode()
        return post_bytes(body, f"X-Forwarded-For: {address}", "Connection: close")

    return Crowd(port, landing, per_second=per_second, leaves_with_answer=True)


def slow_heads(port: int, size: int = 300) -> Crowd:
    """Return connections whose requests' headers never end."""
    return Crowd(port, lambda: b"POST / HTTP/1.1\r\nHost: localhost\r\nA: ", size=size, drip_seconds=3)


def slow_bodies(port: int, size: int = 300) -> Crowd:
    """Return connections whose requests' bodies hardly come."""
    return Crowd(port, lambda: post_bytes(b"x-amzn-", length=1000), size=size, drip_seconds=3)


def idle_connections(port: int, size: int = 2100) -> Crowd:
    """Return connections that are kept alive, each after one answer."""
    return Crowd(port, lambda: b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", size=size)
