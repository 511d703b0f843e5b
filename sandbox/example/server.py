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
from sandbox.example.troubles import Trouble, Troubles
from sandbox.server import Door

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
        state: Path | None = None,
        port: int = 0,
    ) -> None:
        self._app = product.create(catalogue.load() if products is None else products, secrets, site_url, state)
        self._port = port
        self._door: Door | None = None

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
        return self._trouble.present

    @troubles.setter
    def troubles(self, troubles: Troubles) -> None:
        self._trouble.present = troubles

    @property
    def tenants(self) -> list[Tenant]:
        """Every tenant, the first customers included, the latest last."""
        return list(self._tenants.state.tenants)

    def reset(self) -> None:
        """Forget every tenant, subscription and trouble."""
        self._tenants.reset()
        self.troubles = Troubles()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Refuse every connection until the end of `with`, then answer on the same port again."""
        self._close()
        try:
            yield
        finally:
            self._open()

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    @property
    def _tenants(self) -> Tenants:
        tenants: Tenants = self._app.extensions["tenants"]
        return tenants

    @property
    def _trouble(self) -> Trouble:
        trouble: Trouble = self._app.extensions["trouble"]
        return trouble

    def _open(self) -> None:
        self._door = Door(self._app, self._port)
        self._port = int(self._door.url.rpartition(":")[2])
        self._app.config["URL"] = self._door.url

    def _close(self) -> None:
        # No hand-off is left waiting for a slow product.
        self.troubles = Troubles()
        if self._door:
            self._door.close()
        self._door = None
