"""Serves an application of this process over real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from sandbox.server import ThreadedServer


@contextmanager
def serve_app(app: Flask) -> Iterator[str]:
    """Serve the application on a free port of this machine, and yield its URL."""
    server = ThreadedServer(app, 0)
    try:
        yield server.url
    finally:
        server.close()
