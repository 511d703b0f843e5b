"""The events' part of the bench: one worker on few subscriptions, and one on many, fed by turns."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import filled_databases, measured_worker, servers
from tests.bench.measurements import RoundResults
from tests.support.postgresql_server import PostgresqlServer


@dataclass(frozen=True)
class StoredDatabase:
    """A database with so many subscriptions, and what a worker needs to be at home there."""

    environment: dict[str, str]
    subscriptions: int
    path: Path
    log: Path
    postgresql_pid: int | None = None


@contextmanager
def sqlite_databases(folder: Path, aws_port: int, counts: tuple[int, ...]) -> Iterator[list[StoredDatabase]]:
    """Give a place for each number of subscriptions, on SQLite."""
    places = []
    for count in counts:
        path = folder / f"stored-{count}.db"
        environment = servers.environment(folder, aws_port, path)
        filled_databases.create_sqlite(path, count, environment)
        places.append(StoredDatabase(environment, count, path, folder / "worker.log"))
    yield places


@contextmanager
def postgresql_databases(folder: Path, aws_port: int, counts: tuple[int, ...]) -> Iterator[list[StoredDatabase]]:
    """Give the same on a PostgreSQL server that waits for the disk, as in production."""
    with PostgresqlServer(folder / "postgresql", durable=True) as server:
        # It would work beside the worker, whenever it likes.
        server.execute("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        environment = servers.environment(folder, aws_port, folder)
        filled_databases.run_migrations({**environment, "DATABASE_URL": server.create_database("migrated")})
        places = []
        for count in counts:
            url = server.create_database(f"stored_{count}", template="migrated")
            environment = {**environment, "DATABASE_URL": url}
            filled_databases.fill_postgresql(url, count)
            places.append(StoredDatabase(environment, count, folder, folder / "worker.log", server.pid))
        yield places


def apply_events(databases: list[StoredDatabase], events: int, rounds: int) -> list[RoundResults]:
    """Return how the worker of each place applied so many events a round."""
    with ExitStack() as working:
        crew = [
            working.enter_context(
                measured_worker.run_worker(place.environment, place.subscriptions, place.log, place.postgresql_pid)
            )
            for place in databases
        ]
        return measured_worker.measure_workers(crew, events, rounds)
