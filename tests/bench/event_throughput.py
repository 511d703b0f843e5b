"""Measures how fast a worker applies events: on few and on many subscriptions, and as it did before."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.bench import filled_databases, measured_worker
from tests.bench.bench_run import BenchRun
from tests.bench.filled_databases import StoredDatabase
from tests.bench.report_table import FigureRow, compare, section_heading
from tests.bench.revisions import Revision
from tests.bench.rounds import Rounds, measure_in_turn
from tests.support.postgresql_server import PostgresqlServer


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield the rows of both databases."""
    yield from _compare(run, "SQLite", run.compared_sqlite(), cpu_at_most=0.25)
    with _postgresql_databases(run) as databases:
        yield from _compare(run, "PostgreSQL", databases, cpu_at_most=0.32)


def _compare(
    run: BenchRun, name: str, databases: list[StoredDatabase], cpu_at_most: float
) -> Iterator[FigureRow | str]:
    many, few, *older = _apply_events(run, databases)
    if run.older:
        yield section_heading(f"Events, one worker on {name}", run.current.name, run.older.name)
        yield compare("events per second", "rate", few, older[0], decimals=0, at_least=2.8)
        yield compare("CPU per event and its review, ms", "cpu_ms", few, older[0], at_most=cpu_at_most)
    sizes = [f"{count:,}" for count in (run.size.many_subscriptions, run.size.few_subscriptions)]
    yield section_heading(f"The same by subscriptions stored on {name}", *sizes)
    yield compare("events per second", "rate", many, few, decimals=0)
    yield compare("CPU per event and its review, ms", "cpu_ms", many, few, at_most=1.05)


def _apply_events(run: BenchRun, databases: list[StoredDatabase]) -> list[Rounds]:
    with ExitStack() as stack:
        workers = [stack.enter_context(measured_worker.run_with_queue(run, database)) for database in databases]
        for worker in workers:
            worker.wait_for_reviews()
        return measure_in_turn(workers, lambda worker: worker.apply_events(run.size.events), run.size.rounds)


@contextmanager
def _postgresql_databases(run: BenchRun) -> Iterator[list[StoredDatabase]]:
    """Yield databases like `compared_sqlite`, on a PostgreSQL server that waits for the disk, as in production."""
    with PostgresqlServer(run.path / "postgresql") as server:
        # Autovacuum would use CPU time at random moments of the measurement.
        server.execute("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        few = [_create_postgresql(run, server, revision, run.size.few_subscriptions) for revision in run.revisions]
        databases = [_create_postgresql(run, server, run.current, run.size.many_subscriptions), *few]
        server.execute("CHECKPOINT", "ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()")
        yield databases


def _create_postgresql(
    run: BenchRun, server: PostgresqlServer, revision: Revision, subscriptions: int
) -> StoredDatabase:
    url = server.create_database(f"stored_{run.revisions.index(revision)}_{subscriptions}")
    filled_databases.run_migrations(revision, {**run.servers.environment, "DATABASE_URL": url})
    filled_databases.fill_postgresql(url, subscriptions)
    return StoredDatabase(revision, url, subscriptions, server.pid)
