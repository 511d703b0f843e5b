"""The HTTP server of the fake AWS services: answers a connection's requests in order, each after a delay."""

import asyncio
import re
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

CONTENT_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
RESPONSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n"
    b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n"
)
# Takes a request's head and body, returns the delay in seconds and the response's body.
Responder = Callable[[bytes, bytes], tuple[float, bytes]]


class ResponderProtocol(asyncio.Protocol):
    """One connection from the application to AWS."""

    def __init__(self, responder: Responder, open_connections: "set[ResponderProtocol]") -> None:
        self._responder = responder
        self._open_connections = open_connections
        self._received = b""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._open_connections.remove(self)
        self.closed.set_result(None)

    def abort(self) -> None:
        """Close the connection at once, without sending what is still buffered."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer once a whole request is there."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if not end or not length or len(body) < int(length[1]):
            return
        self._received = b""
        delay, response_body = self._responder(head, body)
        response = RESPONSE_HEAD % len(response_body) + response_body
        asyncio.get_running_loop().call_later(delay, self._transport.write, response)


class AwsHttpServer:
    """Serves in a thread, on a free port of the loopback interface, for the time of a `with` block."""

    def __init__(self, responder: Responder, tls: ssl.SSLContext | None = None) -> None:
        self._responder, self._tls = responder, tls
        self._open_connections: set[ResponderProtocol] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="aws", daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            start_listening(self._responder, self._open_connections, self._tls), self._loop
        ).result()
        self.url = f"{'https://localhost' if self._tls else 'http://127.0.0.1'}:{port_of(self._server)}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def close_connections(self) -> None:
        """Close the connections that are open, as a server does with those that idle."""
        asyncio.run_coroutine_threadsafe(self._close_connections(), self._loop).result()

    async def _close(self) -> None:
        self._server.close()
        await self._close_connections()

    async def _close_connections(self) -> None:
        connections = list(self._open_connections)
        for connection in connections:
            connection.abort()
        # A loop that stops before they are closed leaves their futures pending.
        await asyncio.gather(*(connection.closed for connection in connections))


async def start_listening(
    responder: Responder, open_connections: set[ResponderProtocol], tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Return a server on a free port of the loopback interface; the set always has its open connections."""
    return await asyncio.get_running_loop().create_server(
        lambda: ResponderProtocol(responder, open_connections), "127.0.0.1", 0, ssl=tls
    )


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def serve_forever(responder: Responder) -> None:
    """Print the port, then serve until the process ends."""
    server = await start_listening(responder, set())
    print(port_of(server), flush=True)
    await server.serve_forever()
