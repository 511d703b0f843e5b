"""The gunicorn worker that serves Foyer: one that no client can hold up, however slowly or oddly it speaks."""

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

# A request gets one share of time to arrive in, and its thread so many: the rest is for the answer, and to read that.
TOTAL_TIME_FACTOR = 3
LINGER_SECONDS = 1.0
STATUS_BY_ERROR = {
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class BoundedThreadWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's threads, each held by one connection for a bounded time.

    Gunicorn itself waits without end for the rest of a request, and for a client that reads no answer. Here
    `graceful_timeout`, which is what a request gets when the process stops, is what it always gets to arrive.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Since when each request is due, the longest first. The main thread cuts those that are late, the threads take
        # out those that are there: whoever takes it out has decided.
        self.receiving_since: dict[TConn, float] = {}
        # The connections on which nothing more is read; only the main thread changes it.
        self.read_closed: set[TConn] = set()
        # What each thread answers at present.
        self.current_requests: dict[TConn, Request] = {}
        # Since when each connection has had a thread.
        self.thread_busy_since: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """Hand a connection to a thread as soon as its first byte is there: until then it needs none."""
        if conn.initialized or conn.data_ready:
            self.receiving_since[conn] = time.monotonic()
            super().enqueue_req(conn)
            return
        conn.timeout = time.monotonic() + self.cfg.graceful_timeout
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def finish_request(self, conn: TConn, future: "Future[object]") -> None:
        """Stop the connection's clock; then keep it for its next request, or close it."""
        self.receiving_since.pop(conn, None)
        self.read_closed.discard(conn)
        super().finish_request(conn, future)

    def murder_pending(self) -> None:
        """Close what sent nothing, and do not wait any longer for what sends or reads too slowly.

        Gunicorn calls this at least once a second.
        """
        super().murder_pending()
        now, share = time.monotonic(), self.cfg.graceful_timeout
        for conn, since in self.receiving_since.copy().items():
            if now - since <= share:
                break
            self._stop_receiving(conn)
        for conn, since in self.thread_busy_since.copy().items():
            if now - since > share * TOTAL_TIME_FACTOR:
                _shut_down(conn, socket.SHUT_RDWR)

    def _stop_receiving(self, conn: TConn) -> None:
        if self.receiving_since.pop(conn, None) is None:
            return  # it has arrived just now
        # A load balancer would send its next request on a connection that the answer calls kept.
        self.read_closed.add(conn)
        if asked := self.current_requests.get(conn):
            asked.force_close()
        # What has arrived can still be read, and an answer can still be sent: only the waiting for more ends.
        _shut_down(conn, socket.SHUT_RD)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        # Nor does a process that stops wait for those that have sent nothing.
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def handle(self, conn: TConn) -> object:
        """Answer one request, and see the client off here: gunicorn's main thread would wait for it."""
        self.thread_busy_since[conn] = time.monotonic()
        try:
            kept: object = super().handle(conn)
            if conn in self.read_closed:
                kept = False
            if not kept:
                _linger_and_close(conn.sock)
        finally:
            self.current_requests.pop(conn, None)
            del self.thread_busy_since[conn]
        return kept

    def handle_request(self, req: Request, conn: TConn) -> object:
        """Answer a request whose body has to come as it was announced; once it is there, the time is ours."""
        req.body.reader = CompleteBodyReader(req.body.reader, on_complete=partial(self.receiving_since.pop, conn, None))
        # First where the main thread finds it, then a look at what it has cut: in between nothing is missed.
        self.current_requests[conn] = req
        if conn in self.read_closed:
            req.force_close()
        return super().handle_request(req, conn)

    def handle_error(self, req: Request | None, client: socket.socket, addr: object, exc: Exception) -> None:
        """Refuse what is not HTTP in plain words, none of them the client's own: they may hold a token."""
        if not isinstance(exc, errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = STATUS_BY_ERROR.get(type(exc), HTTPStatus.BAD_REQUEST)
        structlog.contextvars.clear_contextvars()  # of the request that this thread answered before
        log.info("request.refused", fault=type(exc).__name__, status=status.value)
        with suppress(OSError):
            client.sendall(_plain_text_response(status))


class CompleteBodyReader:
    """Reads a body to its announced end: one that breaks off or is malformed is a client that has gone.

    `on_end` is called when all of it is there: at once where there is none, and more than once where more is asked.
    """

    def __init__(self, reader: Any, on_complete: Callable[[], object]) -> None:
        self.reader = reader
        self.on_complete = on_complete
        if self._content_length() == 0:
            on_complete()

    def read(self, size: int) -> bytes:
        """Return that many bytes, fewer only at the end.

        Raises:
            ConnectionResetError: the rest does not come, or what comes is no body.
        """
        announced = self._content_length()
        try:
            piece: bytes = self.reader.read(size)
        except errors.ParseException as error:
            raise ConnectionResetError(errno.ECONNRESET, type(error).__name__) from None
        if len(piece) < min(size, announced or 0):
            raise ConnectionResetError(errno.ECONNRESET, "the body broke off")
        if len(piece) == announced or len(piece) < size:
            self.on_complete()
        return piece

    def _content_length(self) -> int | None:
        # What comes in chunks announces no length: it ends where less comes than was asked for.
        length: int | None = getattr(self.reader, "length", None)
        return length


def _shut_down(conn: TConn, how: int) -> None:
    with suppress(OSError):
        conn.sock.shutdown(how)


def _linger_and_close(sock: socket.socket) -> None:
    """Give the client a moment to read the answer and to close: an earlier close could take the answer away."""
    deadline = time.monotonic() + LINGER_SECONDS
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            if not sock.recv(65536):
                break
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RD)


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
