"""The HTTP that AWS's pretenders need: one connection, its requests answered one after another, each after a wait."""

import asyncio
import re
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

CONTENT_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
RESPONSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n"
    b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n"
)
# Of a request's head and body: after how many seconds it is answered, and the answer's body.
Responder = Callable[[bytes, bytes], tuple[float, bytes]]


class ResponderProtocol(asyncio.Protocol):
    """One connection of the application's to AWS."""

    def __init__(self, answering: Responder, open_: "set[ResponderProtocol]") -> None:
        self._responder = answering
        self._open_connections = open_
        self._received = b""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection to answer on."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the connection."""
        self._open_connections.remove(self)
        self.closed.set_result(None)

    def abort(self) -> None:
        """End the connection, whatever the application still wants."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer once a request has come in whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if not end or not length or len(body) < int(length[1]):
            return
        self._received = b""
        wait, answer = self._responder(head, body)
        whole = RESPONSE_HEAD % len(answer) + answer
        asyncio.get_running_loop().call_later(wait, self._transport.write, whole)


class ThreadedServer:
    """Answers on a free port of this machine alone, in a thread, between `with` and its end."""

    def __init__(self, answering: Responder) -> None:
        self._responder = answering
        self._open_connections: set[ResponderProtocol] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="aws", daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            start_listening(self._responder, self._open_connections), self._loop
        ).result()
        self.url = f"http://127.0.0.1:{port_of(self._server)}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        connections = list(self._open_connections)
        for connection in connections:
            connection.abort()
        # The loop must not stop before the last of them is closed.
        await asyncio.gather(*(connection.closed for connection in connections))


async def start_listening(responder: Responder, open_connections: set[ResponderProtocol]) -> asyncio.Server:
    """Return a server on a free port of this machine alone, which keeps the connections that are open in the set."""
    return await asyncio.get_running_loop().create_server(
        lambda: ResponderProtocol(responder, open_connections), "127.0.0.1", 0
    )


def port_of(server: asyncio.Server) -> int:
    """Return the port that a server listens on."""
    return int(server.sockets[0].getsockname()[1])


async def serve_forever(responder: Responder) -> None:
    """Print the port, and serve until the process is ended."""
    server = await start_listening(responder, set())
    print(port_of(server), flush=True)
    await server.serve_forever()
