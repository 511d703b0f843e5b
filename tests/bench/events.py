"""The events' part of the bench: one worker on few subscriptions, and one on many, fed by turns."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import sides, stored, workers
from tests.bench.measures import Rounds
from tests.endurance.postgresql import PostgreSQL


@dataclass(frozen=True)
class Place:
    """A database with so many subscriptions, and what a worker needs to be at home there."""

    environment: dict[str, str]
    subscriptions: int
    database: Path
    log: Path
    server: int | None = None


@contextmanager
def on_sqlite(folder: Path, aws_port: int, counts: tuple[int, ...]) -> Iterator[list[Place]]:
    """Give a place for each number of subscriptions, on SQLite."""
    places = []
    for count in counts:
        path = folder / f"stored-{count}.db"
        environment = sides.environment(folder, aws_port, path)
        stored.database(path, count, environment)
        places.append(Place(environment, count, path, folder / "worker.log"))
    yield places


@contextmanager
def on_postgresql(folder: Path, aws_port: int, counts: tuple[int, ...]) -> Iterator[list[Place]]:
    """Give the same on a PostgreSQL server that waits for the disk, as in production."""
    with PostgreSQL(folder / "postgresql", durable=True) as server:
        # It would work beside the worker, whenever it likes.
        server.administer("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        environment = sides.environment(folder, aws_port, folder)
        stored.migrate({**environment, "DATABASE_URL": server.database("migrated")})
        places = []
        for count in counts:
            url = server.database(f"stored_{count}", template="migrated")
            environment = {**environment, "DATABASE_URL": url}
            stored.fill_postgresql(url, count)
            places.append(Place(environment, count, folder, folder / "worker.log", server.pid))
        yield places


def applied(places: list[Place], events: int, rounds: int) -> list[Rounds]:
    """Return how the worker of each place applied so many events a round."""
    with ExitStack() as working:
        crew = [
            working.enter_context(workers.working(place.environment, place.subscriptions, place.log, place.server))
            for place in places
        ]
        return workers.in_turn(crew, events, rounds)
