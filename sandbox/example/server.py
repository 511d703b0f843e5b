"""The example product on a port of this machine, for `make run` and for tests."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from app.config.products import Product
from sandbox import catalogue
from sandbox.example import product
from sandbox.example.state import Tenant
from sandbox.example.tenants import Tenants
from sandbox.example.troubles import CurrentTroubles, Troubles
from sandbox.server import ThreadedServer

SITE_URL = "http://localhost:8000"


class ExampleProduct:
    """The pretend seller's product, served by a thread of this process between `with` and its end.

    Port 0 takes any free port. Without a state file, nothing outlives it.

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
    ) -> None:
        self._app = product.create_app(
            catalogue.load_products() if products is None else products, secrets, site_url, state_path
        )
        self._port = port
        self._server: ThreadedServer | None = None

    @property
    def url(self) -> str:
        """Where the product's front page is."""
        return str(self._app.config["URL"])

    @property
    def handoff_url(self) -> str:
        """Where it receives hand-offs."""
        return f"{self.url}/foyer"

    @property
    def sign_in_url(self) -> str:
        """Where its customers sign in."""
        return f"{self.url}/login"

    @property
    def site_url(self) -> str:
        """Where Foyer is: the issuer of assertions, which publishes the keys to verify them with."""
        return str(self._app.config["SITE_URL"])

    @site_url.setter
    def site_url(self, url: str) -> None:
        self._app.config["SITE_URL"] = url.rstrip("/")

    @property
    def troubles(self) -> Troubles:
        """What the product pretends to have trouble with. Setting it ends the waits of a slow one."""
        return self._current_troubles.settings

    @troubles.setter
    def troubles(self, troubles: Troubles) -> None:
        self._current_troubles.settings = troubles

    @property
    def tenants(self) -> list[Tenant]:
        """Every tenant, the first customers included, the latest last."""
        return list(self._tenants.state.tenants)

    def reset(self) -> None:
        """Forget every tenant, subscription and trouble."""
        self._tenants.reset()
        self.troubles = Troubles()

    @contextmanager
    def offline(self) -> Iterator[None]:
        """Refuse every connection until the end of `with`, then answer on the same port again."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def _tenants(self) -> Tenants:
        tenants: Tenants = self._app.extensions["tenants"]
        return tenants

    @property
    def _current_troubles(self) -> CurrentTroubles:
        trouble: CurrentTroubles = self._app.extensions["trouble"]
        return trouble

    def _start(self) -> None:
        self._server = ThreadedServer(self._app, self._port)
        self._port = int(self._server.url.rpartition(":")[2])
        self._app.config["URL"] = self._server.url

    def _stop(self) -> None:
        # No hand-off is left waiting for a slow product.
        self.troubles = Troubles()
        if self._server:
            self._server.close()
        self._server = None
