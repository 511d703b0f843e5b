"""The environments of the long runs: each an empty, migrated database beside one sandbox and one PostgreSQL server."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from sandbox.server import Sandbox
from tests.conftest import migrate
from tests.endurance.kill_runs import RunEnvironment
from tests.support import factories
from tests.support.postgresql_server import PostgresqlServer


class Environments:
    """Creates environments in one folder, which is removed with the stack."""

    def __init__(self, stack: ExitStack) -> None:
        self._folder = Path(stack.enter_context(TemporaryDirectory(prefix="foyer-endurance-")))
        self._sandbox = stack.enter_context(Sandbox(factories.products()))
        self.server = stack.enter_context(PostgresqlServer(self._folder / "postgresql"))

    def on_sqlite(self, name: str) -> RunEnvironment:
        return self._migrated(name, f"sqlite:///{self._folder / name}.db")

    def on_postgresql(self, name: str) -> RunEnvironment:
        return self._migrated(name, self.server.create_database(name))

    def _migrated(self, name: str, url: str) -> RunEnvironment:
        folder = self._folder / f"{name}-{url.partition(':')[0]}"
        folder.mkdir()
        migrate(url)
        return RunEnvironment(url, self._sandbox, folder)
