"""The environments of the short runs: on the databases of all tests, and on a private PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sandbox.server import Sandbox
from tests.conftest import migrate
from tests.endurance.kill_runs import RunEnvironment
from tests.support.postgresql_server import PostgresqlServer


@pytest.fixture
def run_environment(database_url: str, sandbox: Sandbox, tmp_path: Path) -> RunEnvironment:
    """A run's environment on an empty database; the test runs once on SQLite and once on PostgreSQL."""
    return RunEnvironment(database_url, sandbox, tmp_path)


@pytest.fixture(scope="package")
def postgresql_test_server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server that no other test uses."""
    # Not under pytest's own folder: each new pytest revokes the access of other users, the server's among them.
    with TemporaryDirectory(prefix="pg") as folder, PostgresqlServer(Path(folder)) as server:
        yield server


@pytest.fixture
def postgresql_run_environment(
    postgresql_test_server: PostgresqlServer, sandbox: Sandbox, tmp_path: Path
) -> RunEnvironment:
    """A run's environment on an empty database of that server."""
    url = postgresql_test_server.create_database(f"foyer_{tmp_path.name}")
    migrate(url)
    return RunEnvironment(url, sandbox, tmp_path)
