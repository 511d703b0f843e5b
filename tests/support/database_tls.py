"""TLS before a PostgreSQL server whose own build has none."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.engine import make_url

# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
SSL_REQUEST = bytes.fromhex("0000000804d2162f")

CLOSE_SECONDS = 1


@contextmanager
def serve(server_url: str, context: ssl.SSLContext) -> Iterator[int]:
    """Accept TLS connections to the server on a port of 127.0.0.1, for the time of the block; yield the port."""
    path = Path(str(make_url(server_url).query["host"]), ".s.PGSQL.5432")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _forward(reader, writer, context, path)
            # What the server said last still has to be sent; a client may never answer it.
            writer.close()
            with suppress(TimeoutError, OSError):
                await asyncio.wait_for(writer.wait_closed(), CLOSE_SECONDS)
        finally:
            writer.transport.abort()

    async def stop() -> None:
        server.close()
        pending = asyncio.all_tasks() - {asyncio.current_task()}
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        # An aborted connection is closed in the loop's next round.
        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="database-tls", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(accept, "127.0.0.1", 0), loop).result()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, path: Path
) -> None:
    """Pass on what the client sends after it has asked for TLS; a client that does not ask is cut off."""
    if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
        return
    writer.write(b"S")
    await writer.start_tls(context)
    server_reader, server_writer = await asyncio.open_unix_connection(path)
    copies = [asyncio.create_task(_copy(reader, server_writer)), asyncio.create_task(_copy(server_reader, writer))]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        server_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A client that is killed resets its connection.
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
