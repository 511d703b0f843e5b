"""Measures how fast a worker applies events: one on few subscriptions, one on many, fed in turn."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import filled_databases, measured_worker, servers
from tests.bench.measurements import RoundResults
from tests.support.postgresql_server import PostgresqlServer


@dataclass(frozen=True)
class StoredDatabase:
    """A database filled with subscriptions, and what its worker needs to run on it."""

    environment: dict[str, str]
    subscriptions: int
    path: Path
    log: Path
    postgresql_pid: int | None = None


@contextmanager
def sqlite_databases(folder: Path, aws_port: int, counts: tuple[int, ...]) -> Iterator[list[StoredDatabase]]:
    """Yield a SQLite database for each number of subscriptions."""
    databases = []
    for count in counts:
        path = folder / f"stored-{count}.db"
        environment = servers.environment(folder, aws_port, path)
        filled_databases.create_sqlite(path, count, environment)
        databases.append(StoredDatabase(environment, count, path, folder / "worker.log"))
    yield databases


@contextmanager
def postgresql_databases(folder: Path, aws_port: int, counts: tuple[int, ...]) -> Iterator[list[StoredDatabase]]:
    """Yield the same on a PostgreSQL server that waits for the disk, as in production."""
    with PostgresqlServer(folder / "postgresql", durable=True) as server:
        # Autovacuum would use CPU time at random moments of the measurement.
        server.execute("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        environment = servers.environment(folder, aws_port, folder)
        filled_databases.run_migrations({**environment, "DATABASE_URL": server.create_database("migrated")})
        databases = []
        for count in counts:
            url = server.create_database(f"stored_{count}", template="migrated")
            environment = {**environment, "DATABASE_URL": url}
            filled_databases.fill_postgresql(url, count)
            databases.append(StoredDatabase(environment, count, folder, folder / "worker.log", server.pid))
        yield databases


def apply_events(databases: list[StoredDatabase], events: int, rounds: int) -> list[RoundResults]:
    """Return the results of each database's worker, which applies this many events a round."""
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                measured_worker.run_worker(
                    database.environment, database.subscriptions, database.log, database.postgresql_pid
                )
            )
            for database in databases
        ]
        return measured_worker.measure_workers(workers, events, rounds)
