"""The gunicorn worker that serves Foyer: each connection occupies a thread for a bounded time, however slow the client.

Gunicorn itself waits without limit for the rest of a request, and for a client that does not read the response. This
worker bounds both. S is `graceful_timeout`, 20 s in gunicorn.conf.py; gunicorn applies it only when it stops:

    accept        first byte         last byte                    response sent
      |---- idle ----|---- receiving ----|---- application, response ----|-- linger --|
      |  no thread   |----------------------- one thread ----------------------------|

    bound               if it is exceeded                               measured in
    idle, S             the connection is closed                        gunicorn's `conn.timeout`
    receiving, S        reading is shut down, what arrived is served    `receiving_since`
    one thread, S x 3   the connection is shut down in both directions  `thread_busy_since`
    linger, 1 s         the connection is closed                        `_linger_and_close`

Between two requests on one connection gunicorn's `keepalive` applies, and no thread is occupied.
Gunicorn checks the first three about once a second, in `murder_pending`. The receiving bound ends with the last byte of
the body. A body that breaks off raises ConnectionResetError: otherwise the application takes half a form as complete.
"""

import errno
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any

import structlog
from gunicorn.http import errors
from gunicorn.http.message import Request
from gunicorn.workers.gthread import TConn, ThreadWorker

from app.security.headers import SECURITY_HEADERS

log = structlog.get_logger()

# A thread's time in multiples of `graceful_timeout`: one is for the request to arrive, the rest for the response.
TOTAL_TIME_FACTOR = 3
STATUS_BY_ERROR = {
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class BoundedThreadWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's gthread worker with bounds on the time of each connection; see the module's drawing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # When each request began to arrive, the oldest first. The main thread removes late ones and stops reading them,
        # the serving threads remove complete ones: the one that removes an entry decides.
        self.receiving_since: dict[TConn, float] = {}
        # Connections whose reading side is shut down. Only the main thread changes the set.
        self.read_closed: set[TConn] = set()
        # For each connection that is being served, its request, and when a thread began to serve it.
        self.current_requests: dict[TConn, Request] = {}
        self.thread_busy_since: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """Pass a connection to a thread once its first byte has arrived; until then it occupies none."""
        if conn.initialized or conn.data_ready:
            self.receiving_since[conn] = time.monotonic()
            super().enqueue_req(conn)
            return
        conn.timeout = time.monotonic() + self.cfg.graceful_timeout
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def finish_request(self, conn: TConn, future: "Future[object]") -> None:
        """End the receiving bound; gunicorn then keeps the connection for its next request, or closes it."""
        self.receiving_since.pop(conn, None)
        self.read_closed.discard(conn)
        super().finish_request(conn, future)

    def murder_pending(self) -> None:
        """Close idle connections, and shut down those whose client sends or reads too slowly."""
        super().murder_pending()
        now, time_limit = time.monotonic(), self.cfg.graceful_timeout
        for conn, since in self.receiving_since.copy().items():
            if now - since <= time_limit:
                break
            self._stop_receiving(conn)
        for conn, since in self.thread_busy_since.copy().items():
            if now - since > time_limit * TOTAL_TIME_FACTOR:
                _shut_down(conn.sock, socket.SHUT_RDWR)

    def _stop_receiving(self, conn: TConn) -> None:
        if self.receiving_since.pop(conn, None) is None:
            return  # the request became complete just now
        # Otherwise the response keeps the connection alive, and a load balancer sends its next request on it.
        self.read_closed.add(conn)
        if request := self.current_requests.get(conn):
            request.force_close()
        # Bytes that have arrived can still be read, and the response can still be sent.
        _shut_down(conn.sock, socket.SHUT_RD)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        # A stopping process does not wait for connections that have sent nothing.
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def handle(self, conn: TConn) -> object:
        """Serve one request and wait here for the client to close: gunicorn would wait in its main thread."""
        self.thread_busy_since[conn] = time.monotonic()
        try:
            result: object = super().handle(conn)
            keeps_alive = conn not in self.read_closed and result
            if not keeps_alive:
                _linger_and_close(conn.sock)
        finally:
            self.current_requests.pop(conn, None)
            del self.thread_busy_since[conn]
        return keeps_alive

    def handle_request(self, req: Request, conn: TConn) -> object:
        """Serve a request, and require its complete body; with the last byte the receiving bound ends."""
        req.body.reader = CompleteBodyReader(req.body.reader, on_complete=partial(self.receiving_since.pop, conn, None))
        # In this order: the main thread may shut down reading at any time, and either it or this thread sees that.
        self.current_requests[conn] = req
        if conn in self.read_closed:
            req.force_close()
        return super().handle_request(req, conn)

    def handle_error(self, req: Request | None, client: socket.socket, addr: object, exc: Exception) -> None:
        """Refuse a request that is not HTTP, without repeating any of it: it may contain a registration token."""
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = STATUS_BY_ERROR.get(type(exc), HTTPStatus.BAD_REQUEST)
        structlog.contextvars.clear_contextvars()  # of this thread's previous request
        log.info("request.refused", fault=type(exc).__name__, status=status.value)
        with suppress(OSError):
            client.sendall(_plain_text_response(status))


class CompleteBodyReader:
    """Reads a request body to its announced end; one that breaks off or is malformed raises ConnectionResetError.

    `on_complete` is called when the body is complete: at once for an empty body, and again at each later read.
    """

    def __init__(self, reader: Any, on_complete: Callable[[], object]) -> None:
        self.reader = reader
        self.on_complete = on_complete
        if getattr(reader, "length", None) == 0:
            on_complete()

    def read(self, size: int) -> bytes:
        """Return that many bytes, fewer only at the end of the body."""
        # None for a chunked body, which announces no length: it ends where a read returns fewer bytes than asked for.
        bytes_left: int | None = getattr(self.reader, "length", None)
        try:
            chunk: bytes = self.reader.read(size)
        except errors.ParseException as error:
            raise ConnectionResetError(errno.ECONNRESET, type(error).__name__) from None
        if len(chunk) < min(size, bytes_left or 0):
            raise ConnectionResetError(errno.ECONNRESET, "the body broke off")
        if len(chunk) == bytes_left or len(chunk) < size:
            self.on_complete()
        return chunk


def _shut_down(sock: socket.socket, how: int) -> None:
    with suppress(OSError):
        sock.shutdown(how)


def _linger_and_close(sock: socket.socket) -> None:
    """Wait up to a second for the client to close: an earlier close could discard the unread response."""
    deadline = time.monotonic() + 1
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (seconds_left := deadline - time.monotonic()) > 0:
            sock.settimeout(seconds_left)
            if not sock.recv(65536):
                break
    _shut_down(sock, socket.SHUT_RD)


def _plain_text_response(status: HTTPStatus) -> bytes:
    body = f"{status.value} {status.phrase}\n"
    headers = {
        **SECURITY_HEADERS,
        "Cache-Control": "no-store",
        "Connection": "close",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(body)),
    }
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", body]).encode()
