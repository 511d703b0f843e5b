"""Runs the example product on a port of this machine, for `make run` and for tests."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from app.config.products import Product
from sandbox import catalogue
from sandbox.example import product
from sandbox.example.state import Tenant, UsageItem
from sandbox.example.tenants import Tenants
from sandbox.example.troubles import CurrentTroubles, Troubles
from sandbox.example.usage_sender import UsageSender
from sandbox.server import ThreadedServer

SITE_URL = "http://localhost:8000"


@dataclass(frozen=True)
class UsageSettings:
    """How usage is sent: with which API token, by which clock, and how often what was not taken is sent again."""

    token: str | None = None
    now: Callable[[], datetime] | None = None
    retry_seconds: float = 5


class ExampleProduct:
    """The example product, served by a thread of this process inside a `with` block.

    Port 0 takes any free port. Without a state path, nothing is saved.

    Raises:
        OSError: at the start, when the port is in use.
    """

    def __init__(
        self,
        products: Iterable[Product] | None = None,
        *,
        secrets: Iterable[str],
        site_url: str = SITE_URL,
        state_path: Path | None = None,
        port: int = 0,
        usage: UsageSettings | None = None,
    ) -> None:
        self._usage = usage or UsageSettings()
        tenants = Tenants(state_path)
        self._app = product.create_app(
            catalogue.load_products() if products is None else products, secrets, site_url, tenants
        )
        self._sender = UsageSender(tenants, self._usage.token, self._usage.now)
        self._app.extensions["usage_sender"] = self._sender
        self._port = port
        self._server: ThreadedServer | None = None

    @property
    def url(self) -> str:
        """The address of the front page."""
        return str(self._app.config["URL"])

    @property
    def handoff_url(self) -> str:
        """The address that receives hand-offs."""
        return f"{self.url}/foyer"

    @property
    def sign_in_url(self) -> str:
        """The sign-in page."""
        return f"{self.url}/login"

    @property
    def site_url(self) -> str:
        """The address of Foyer: the issuer of assertions and the publisher of their keys."""
        return str(self._app.config["SITE_URL"])

    @site_url.setter
    def site_url(self, url: str) -> None:
        self._app.config["SITE_URL"] = url.rstrip("/")

    @property
    def troubles(self) -> Troubles:
        """The simulated troubles. Setting them ends every wait of the "slow" trouble."""
        return self._current_troubles.settings

    @troubles.setter
    def troubles(self, troubles: Troubles) -> None:
        self._current_troubles.settings = troubles

    @property
    def tenants(self) -> list[Tenant]:
        """Every tenant, the first customers included, newest last."""
        return list(self._tenants.state.tenants)

    @property
    def usage(self) -> list[UsageItem]:
        """All usage, oldest first: what was sent, and what was not sent yet."""
        return list(self._tenants.state.usage)

    def reset(self) -> None:
        """Restore the first tenants, and delete every other tenant, subscription, usage and trouble."""
        self._tenants.reset()
        self.troubles = Troubles()

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Refuse every connection inside the `with` block, then answer on the same port again."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def _tenants(self) -> Tenants:
        tenants: Tenants = self._app.extensions["tenants"]
        return tenants

    @property
    def _current_troubles(self) -> CurrentTroubles:
        troubles: CurrentTroubles = self._app.extensions["troubles"]
        return troubles

    def _start(self) -> None:
        self._server = ThreadedServer(self._app, self._port)
        self._port = int(self._server.url.rpartition(":")[2])
        self._app.config["URL"] = self._server.url
        self._sender.start(lambda: self.site_url, self._usage.retry_seconds)

    def _stop(self) -> None:
        # Ends the waits of the "slow" trouble, so that the server can stop.
        self.troubles = Troubles()
        if self._server:
            self._server.close()
            self._sender.stop()
        self._server = None
