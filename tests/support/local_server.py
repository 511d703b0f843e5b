"""Serves in threads of this process for the time of a `with` block: any server, and an application over real HTTP."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from sandbox.server import ThreadedServer


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Serve in a thread during the block; at its end, also where it raises, end the thread and close the server."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serve_app(app: Flask) -> Iterator[str]:
    """Serve the application on a free port of this machine, and yield its URL."""
    server = ThreadedServer(app, 0)
    try:
        yield server.url
    finally:
        server.close()
