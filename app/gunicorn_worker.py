"""The gunicorn worker that serves Foyer: slow and silent clients occupy no thread, and each is closed in time.

Gunicorn itself reads a request on the thread that serves it. Here the main thread collects what clients send, and
passes a connection to a thread when its request is complete. S is `graceful_timeout`, 20 s in gunicorn.conf.py:

    accept        first byte         last byte                    response sent
      |---- idle ----|---- receiving ----|---- application, response ----|-- linger --|
      |------------ no thread -----------|---------- one thread ---------|- no thread |

    bound               if it is exceeded
    idle, S             the connection is closed; between two requests it is `keepalive`
    receiving, S        what came is served, and refused as incomplete
    one thread, S x 3   the connection is shut down in both directions
    linger, 1 s         the connection is closed

`murder_pending` checks these about twice a second. Two rules bound a crowd. If a new connection takes the last place of
`worker_connections`, the one that has waited for longest is closed; of more than MAX_LARGE_REQUESTS that are not
complete, the one that has waited for longest is refused. And a client that reads no responses occupies no
thread: a response fits into the send buffer, and the next request waits until there is room for another.
"""

import resource
import select
import socket
import ssl
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

import structlog
from gunicorn.http import get_parser
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.sock import ssl_wrap_socket
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from app.security.http_requests import CompleteBodyReader, RequestBuffer, plain_text_response, refusal_status

log = structlog.get_logger()

# A thread's time in multiples of `graceful_timeout`.
TOTAL_TIME_FACTOR = 3
LINGER_SECONDS = 1
CHECK_SECONDS = 0.5
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
READ_BYTES = 65536
# They are held in memory until they are complete.
MAX_LARGE_REQUESTS = 16
# More than twice the largest page, so that sending one never blocks. The kernel allocates what is used.
SEND_BUFFER_BYTES = 256 * 1024


class BoundedThreadWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's gthread worker with bounds on each connection and on all together; see the module's drawing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The other half of the file descriptors is for calls to AWS and the database.
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.worker_connections: int = min(self.cfg.worker_connections, descriptors // 2)
        # What each connection without a thread has sent, the one that has waited for longest first; None after its
        # last response. Only the main thread changes it.
        self.waiting: dict[TConn, RequestBuffer | None] = {}
        # Connections whose request is served although it is incomplete: they end with the response.
        self.cut_off: set[TConn] = set()
        # When a thread began to serve each connection.
        self.thread_busy_since: dict[TConn, float] = {}
        self.next_check_at = 0.0

    def enqueue_req(self, conn: TConn) -> None:
        """Wait for the first request of a new connection; it occupies no thread until then."""
        try:
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            if self.cfg.is_ssl:
                conn.sock = ssl_wrap_socket(conn.sock, self.cfg)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        # The parser reads what the main thread has collected, and never from the socket.
        conn.parser = get_parser(self.cfg, (), conn.client)
        self._wait(conn, RequestBuffer(), self.cfg.graceful_timeout)

    def finish_request(self, conn: TConn, future: "Future[object]") -> None:
        """Wait for the next request, or for the client to close: to close first could discard the unread response."""
        self.cut_off.discard(conn)
        if conn.sock.fileno() < 0:
            self.nr_conns -= 1
        elif future.cancelled() or future.exception() or not future.result():
            _shut_down(conn.sock, socket.SHUT_WR)
            self._wait(conn, None, LINGER_SECONDS)
        else:
            idle_seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
            # A client may send its next request before it has the response.
            self._wait(conn, RequestBuffer(), idle_seconds, conn.parser.unreader.take_buffered())

    def _wait(self, conn: TConn, buffer: RequestBuffer | None, seconds: float, data: bytes = b"") -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + seconds
        self.waiting[conn] = buffer
        self.poller.register(conn.sock, EVENT_READ, partial(self._read, conn))
        longest_waiting = next(iter(self.waiting))
        if self.nr_conns >= self.worker_connections and longest_waiting is not conn:
            self._close(longest_waiting)
        if buffer and data:
            self._receive(conn, buffer, data)
        else:
            self._read(conn)

    def _read(self, conn: TConn, _sock: object = None) -> None:
        """Read until nothing more is there: the poller does not see what TLS has read ahead."""
        while conn in self.waiting:
            try:
                data = conn.sock.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                data = b""
            buffer = self.waiting[conn]
            if not data:
                self._end_waiting(conn)
            elif buffer is None:
                return
            else:
                self._receive(conn, buffer, data)

    def _receive(self, conn: TConn, buffer: RequestBuffer, data: bytes) -> None:
        if not buffer.data:
            conn.timeout = time.monotonic() + self.cfg.graceful_timeout
            self.waiting[conn] = self.waiting.pop(conn)
        was_large = buffer.is_large()
        buffer.data += data
        if buffer.is_complete():
            self._serve(conn)
        elif buffer.is_too_large():
            self._end_waiting(conn)
        elif buffer.is_large() and not was_large:
            self._limit_large_requests()
        elif buffer.expects_continue:
            buffer.expects_continue = False
            with suppress(OSError):
                conn.sock.send(CONTINUE)

    def _limit_large_requests(self) -> None:
        large = [conn for conn, buffer in self.waiting.items() if buffer and buffer.is_large()]
        if len(large) > MAX_LARGE_REQUESTS:
            self._end_waiting(large[0])

    def _serve(self, conn: TConn, _sock: object = None) -> None:
        """Pass the connection to a thread, as soon as the responses before have made room for one more."""
        if conn not in self.waiting:
            return
        if not _can_send(conn.sock):
            self.poller.modify(conn.sock, EVENT_WRITE, partial(self._serve, conn))
            return
        self.poller.unregister(conn.sock)
        if buffer := self.waiting.pop(conn):
            conn.parser.unreader.unread(bytes(buffer.data))
        conn.data_ready = True
        super().enqueue_req(conn)

    def _end_waiting(self, conn: TConn) -> None:
        """Serve what came of a request, so that it is refused; close a connection of which nothing came."""
        buffer = self.waiting[conn]
        if buffer and buffer.data and _can_send(conn.sock):
            self.cut_off.add(conn)
            self._serve(conn)
        else:
            self._close(conn)

    def _close(self, conn: TConn) -> None:
        del self.waiting[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """End every connection that has waited or occupied a thread for too long."""
        now = time.monotonic()
        if now < self.next_check_at:
            return
        self.next_check_at = now + CHECK_SECONDS
        for conn in [conn for conn in self.waiting if conn.timeout <= now]:
            self._end_waiting(conn)
        for conn, since in self.thread_busy_since.copy().items():
            if now - since > self.cfg.graceful_timeout * TOTAL_TIME_FACTOR:
                _shut_down(conn.sock, socket.SHUT_RDWR)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        # A stopping process does not wait for connections that have sent nothing.
        for conn, buffer in self.waiting.items():
            if buffer and not buffer.data:
                conn.timeout = min(conn.timeout, deadline)

    def handle(self, conn: TConn) -> object:
        """Serve one request, on a thread."""
        self.thread_busy_since[conn] = time.monotonic()
        try:
            return super().handle(conn) and conn not in self.cut_off
        finally:
            del self.thread_busy_since[conn]

    def handle_request(self, req: Request, conn: TConn) -> object:
        """Serve a request, and require its complete body."""
        req.body.reader = CompleteBodyReader(req.body.reader)
        # The main thread has sent it where the client had to wait for it.
        req._expected_100_continue = False
        if conn in self.cut_off:
            # Otherwise the response keeps the connection alive, and a load balancer sends its next request on it.
            req.force_close()
        return super().handle_request(req, conn)

    def handle_error(self, req: Request | None, client: socket.socket, addr: object, exc: Exception) -> None:
        """Refuse a request that is not HTTP, without repeating any of it: it may contain a registration token."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = refusal_status(exc)
        structlog.contextvars.clear_contextvars()  # of this thread's previous request
        log.info("request.refused", fault=type(exc).__name__, status=status.value)
        with suppress(OSError):
            client.sendall(plain_text_response(status))


def _can_send(sock: socket.socket) -> bool:
    """Return whether the send buffer has room, at least a third of it on Linux, or the connection is broken."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(0))


def _shut_down(sock: socket.socket, how: int) -> None:
    with suppress(OSError):
        sock.shutdown(how)
