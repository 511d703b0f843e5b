"""A proxy between the application and its database, which a test can disconnect and reconnect, or let hang."""

import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from flask import Flask
from sqlalchemy.engine import make_url

from app.database import transactions

# A test whose application waits for a hanging database fails then, and does not wait for ever.
LONGEST_HANG_SECONDS = 20


class DatabaseProxy(Protocol):
    """A database that can be made unreachable; the application has to connect to `url`."""

    url: str

    def disconnect(self, app: Flask) -> None: ...

    def reconnect(self) -> None: ...

    def hang(self) -> None: ...

    def resume(self) -> None: ...


class SqliteProxy:
    """A SQLite file that can be moved away."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._path = Path(str(make_url(url).database))
        self._moved_path = self._path.with_name("elsewhere")

    def disconnect(self, app: Flask) -> None:
        """Replace the file by a directory, which SQLite cannot open; a missing file it would create."""
        with app.app_context():
            transactions.current_database().read_engine.dispose()
        self._path.rename(self._moved_path)
        self._path.mkdir()

    def reconnect(self) -> None:
        self._path.rmdir()
        self._moved_path.rename(self._path)

    def hang(self) -> None:
        """Lock out writers, as another program does that stays in its transaction."""
        self._other_program = sqlite3.connect(self._path, isolation_level=None)
        self._other_program.execute("BEGIN IMMEDIATE")

    def resume(self) -> None:
        self._other_program.close()


class PostgresqlProxy:
    """A TCP proxy before a PostgreSQL server."""

    def __init__(self, url: str) -> None:
        self._server_url = make_url(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_disconnected = threading.Event()
        self._may_forward = threading.Event()
        self._may_forward.set()
        self._sockets: list[socket.socket] = []
        port = self._listener.getsockname()[1]
        self.url = self._server_url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        threading.Thread(target=self._accept_connections, daemon=True).start()

    def disconnect(self, app: Flask) -> None:  # noqa: ARG002  # SqliteProxy needs it
        """Close every connection and refuse new ones."""
        self._is_disconnected.set()
        self._close_sockets()

    def reconnect(self) -> None:
        self._is_disconnected.clear()

    def hang(self) -> None:
        """Keep every connection and accept new ones, but pass nothing on: no byte is refused, and none answered."""
        self._may_forward.clear()

    def resume(self) -> None:
        self._may_forward.set()

    def switch_to(self, url: str) -> None:
        """Lead new connections to another server, as a name does after a failover."""
        self._server_url = make_url(url)

    def close(self) -> None:
        self._is_disconnected.set()
        self._may_forward.set()
        self._listener.close()
        self._close_sockets()

    def _close_sockets(self) -> None:
        while self._sockets:
            with suppress(OSError):
                self._sockets.pop().shutdown(socket.SHUT_RDWR)

    def _accept_connections(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_disconnected.is_set():
                    client.close()
                    continue
                try:
                    server = self._connect_to_server()
                except OSError:
                    client.close()
                    continue
                self._sockets += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _connect_to_server(self) -> socket.socket:
        folder = self._server_url.query.get("host")
        if folder is None:
            return socket.create_connection((self._server_url.host or "127.0.0.1", self._server_url.port or 5432))
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(os.path.join(str(folder), f".s.PGSQL.{self._server_url.port or 5432}"))  # noqa: PTH118
        except OSError:
            server.close()
            raise
        return server

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                self._may_forward.wait(LONGEST_HANG_SECONDS)
                target.sendall(chunk)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        source.close()


@contextmanager
def start(url: str) -> Iterator[DatabaseProxy]:
    """Put a proxy before the database at that URL."""
    if url.startswith("sqlite"):
        yield SqliteProxy(url)
        return
    proxy = PostgresqlProxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
