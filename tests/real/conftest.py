"""Servers of their own for tests that stop them, or fill their disks."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.postgresql_server import PostgresqlServer


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to the user of the PostgreSQL server."""
    with TemporaryDirectory(prefix="open") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def own_server(open_folder: Path) -> Iterator[PostgresqlServer]:
    """A PostgreSQL server that only this module uses."""
    with PostgresqlServer(open_folder / "server") as server:
        yield server
