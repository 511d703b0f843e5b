"""Where the short forms take place: on the shared databases, and on a PostgreSQL server of their own."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sandbox.server import Sandbox
from tests.conftest import migrate
from tests.endurance.postgresql import PostgreSQL
from tests.endurance.runs import Stage


@pytest.fixture
def stage(database_url: str, sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on an empty database of each kind in turn."""
    return Stage(database_url, sandbox, tmp_path)


@pytest.fixture(scope="package")
def own_server() -> Iterator[PostgreSQL]:
    """A PostgreSQL server that no other test uses."""
    # Not under pytest's own folder: each new pytest closes that to other users, the server's among them.
    with TemporaryDirectory(prefix="pg") as folder, PostgreSQL(Path(folder)) as server:
        yield server


@pytest.fixture
def own_stage(own_server: PostgreSQL, sandbox: Sandbox, tmp_path: Path) -> Stage:
    """A stage on an empty database of that server."""
    url = own_server.database(f"foyer_{tmp_path.name}")
    migrate(url)
    return Stage(url, sandbox, tmp_path)
