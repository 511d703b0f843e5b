"""The cable between the application and its database: a test can pull it out and put it back."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from flask import Flask
from sqlalchemy.engine import make_url

from app.database import transactions


class Cable(Protocol):
    """What stands between the application and its database; `url` leads through it."""

    url: str

    def pull(self, app: Flask) -> None:
        """Take the database away from the application."""

    def mend(self) -> None:
        """Give it back."""


class File:
    """A SQLite file that can be out of reach."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._path = Path(str(make_url(url).database))
        self._elsewhere = self._path.with_name("elsewhere")

    def pull(self, app: Flask) -> None:
        """Move the file away, and put what is no database in its place."""
        with app.app_context():
            transactions.current().reading.dispose()
        self._path.rename(self._elsewhere)
        self._path.mkdir()

    def mend(self) -> None:
        """Move the file back."""
        self._path.rmdir()
        self._elsewhere.rename(self._path)


class Line:
    """A PostgreSQL server behind a line that can be cut."""

    def __init__(self, url: str) -> None:
        self._server = make_url(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_cut = threading.Event()
        self._ends: list[socket.socket] = []
        port = self._listener.getsockname()[1]
        self.url = self._server.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        threading.Thread(target=self._answer, daemon=True).start()

    def pull(self, app: Flask) -> None:  # noqa: ARG002  # the file's needs it
        """Cut every connection, and refuse new ones."""
        self._is_cut.set()
        self._hang_up()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut.clear()

    def close(self) -> None:
        """End for good."""
        self._is_cut.set()
        self._listener.close()
        self._hang_up()

    def _hang_up(self) -> None:
        while self._ends:
            with suppress(OSError):
                self._ends.pop().shutdown(socket.SHUT_RDWR)

    def _answer(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                if self._is_cut.is_set():
                    caller.close()
                    continue
                callee = self._call()
                self._ends += [caller, callee]
                for pair in ((caller, callee), (callee, caller)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()

    def _call(self) -> socket.socket:
        folder = self._server.query.get("host")
        if folder is None:
            return socket.create_connection((self._server.host or "127.0.0.1", self._server.port or 5432))
        callee = socket.socket(socket.AF_UNIX)
        callee.connect(os.path.join(str(folder), f".s.PGSQL.{self._server.port or 5432}"))  # noqa: PTH118
        return callee


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
    source.close()


@contextmanager
def laid(url: str) -> Iterator[Cable]:
    """Lay a cable to the database at that URL."""
    if url.startswith("sqlite"):
        yield File(url)
        return
    line = Line(url)
    try:
        yield line
    finally:
        line.close()
