"""Runs the AWS endpoint and the storefront in threads, each on its own port of this machine."""

import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from app.config.products import Product
from sandbox import catalogue, storefront
from sandbox.aws_endpoint import AwsEndpoint
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.marketplace import Marketplace

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"
APP_URL = "http://localhost:8000/"


class Sandbox:
    """A pretend AWS Marketplace, served by threads of this process inside a `with` block.

    Port 0 takes any free port. Without a state path, nothing is saved.

    Raises:
        OSError: at the start, when a port is in use.
    """

    def __init__(
        self,
        products: Iterable[Product] | None = None,
        *,
        app_url: str = APP_URL,
        state_path: Path | None = None,
        aws_port: int = 0,
        storefront_port: int = 0,
    ) -> None:
        self.marketplace = Marketplace(catalogue.load_products() if products is None else products, state_path)
        self._storefront = storefront.create_app(self.marketplace, app_url)
        self._aws_port = aws_port
        self._storefront_port = storefront_port
        self._servers: list[ThreadedServer] = []

    @property
    def app_url(self) -> str:
        """The fulfilment URL of every product, which "Set up your account" posts to."""
        return str(self._storefront.config["APP_URL"])

    @app_url.setter
    def app_url(self, url: str) -> None:
        self._storefront.config["APP_URL"] = url

    @property
    def aws_url(self) -> str:
        """The value for AWS_ENDPOINT_URL."""
        return self._servers[0].url

    @property
    def storefront_url(self) -> str:
        """The address of the storefront and its JSON API."""
        return self._servers[1].url

    @property
    def clock(self) -> Clock:
        """The clock of both servers, which a test may set, stop and advance."""
        return self.marketplace.clock

    @property
    def queue_url(self) -> str:
        """The value for EVENTS_QUEUE_URL."""
        return f"{self.aws_url}{self.marketplace.queue.path}"

    def reset(self) -> None:
        """Delete every purchase, event, token, usage record, fault and mail, and set the clock to the real time."""
        self.marketplace.clock.reset()
        self.marketplace.reset()

    def __enter__(self) -> Self:
        self.marketplace.queue.register()
        try:
            self._servers.append(ThreadedServer(AwsEndpoint(self.marketplace), self._aws_port))
            self._servers.append(ThreadedServer(self._storefront, self._storefront_port))
        except OSError:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()
        # Otherwise the next start would queue events again that the worker has deleted by now.
        self.marketplace.save()

    def _close(self) -> None:
        # Ends the waits of a slow AWS, so that the servers can stop.
        self.marketplace.faults = Faults()
        while self._servers:
            self._servers.pop().close()
        self.marketplace.queue.unregister()


class QuietRequestHandler(MotoRequestHandler):
    """Serves requests without logging each one."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


class ThreadedServer:
    """A WSGI application served by a thread until `close`. Port 0 takes any free port."""

    def __init__(self, application: "WSGIApplication", port: int) -> None:
        # Bound here, because werkzeug would end the whole process if the port is in use.
        with socket.create_server((HOST, port)) as listener:
            self._server = make_server(
                HOST, port, application, threaded=True, request_handler=QuietRequestHandler, fd=listener.fileno()
            )
        self.url = "http://{}:{}".format(*self._server.server_address)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
