"""Measures how fast a worker applies events: on few and on many subscriptions, and as it did before."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.bench import filled_databases
from tests.bench.bench_run import BenchRun, start_each
from tests.bench.fake_sqs import FakeQueue
from tests.bench.filled_databases import StoredDatabase
from tests.bench.measured_worker import MeasuredWorker, run_worker
from tests.bench.report_table import FigureRow, compare, section_heading
from tests.bench.revisions import Revision
from tests.bench.rounds import Figures, Rounds
from tests.support.postgresql_server import PostgresqlServer

CPU_NAME = "CPU per event and its review, ms"
FedWorker = tuple[MeasuredWorker, FakeQueue]


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield the rows of both databases."""
    yield from _compare(run, "SQLite", run.compared_sqlite(), cpu_at_most=0.25)
    with _postgresql_databases(run) as databases:
        yield from _compare(run, "PostgreSQL", databases, cpu_at_most=0.32)


def _compare(
    run: BenchRun, name: str, databases: list[StoredDatabase], cpu_at_most: float
) -> Iterator[FigureRow | str]:
    many, few, *older = _apply_events(run, databases)
    yield section_heading(f"Events, one worker on {name}", *run.names)
    yield compare("events per second", "rate", few, *older, decimals=0, at_least=2.8)
    yield compare(CPU_NAME, "cpu_ms", few, *older, at_most=cpu_at_most)
    yield section_heading(f"The same by subscriptions stored on {name}", *run.sizes)
    yield compare("events per second", "rate", many, few, decimals=0)
    yield compare(CPU_NAME, "cpu_ms", many, few, at_most=1.05)


def _apply_events(run: BenchRun, databases: list[StoredDatabase]) -> list[Rounds]:
    with ExitStack() as stack:
        fed_workers = start_each(stack, databases, partial(_run_with_queue, run))
        for worker, _ in fed_workers:
            worker.wait_for_reviews()
        return run.measure(fed_workers, partial(_apply, run.size.events))


@contextmanager
def _run_with_queue(run: BenchRun, database: StoredDatabase) -> Iterator[FedWorker]:
    queue = FakeQueue(database.subscriptions)
    with queue.server as sqs:
        settings = {"EVENTS_QUEUE_URL": f"{sqs.url}/123456789012/events", "AWS_ENDPOINT_URL_SQS": sqs.url}
        with run_worker(run, database, settings) as worker:
            yield worker, queue


def _apply(events: int, fed_worker: FedWorker) -> Figures:
    """Let the worker apply events and review their subscriptions; return events per second, and CPU per event."""
    worker, queue = fed_worker
    cpu = worker.cpu_seconds()
    elapsed = queue.deliver(events)
    worker.wait_for_reviews()
    return {"rate": events / elapsed, "cpu_ms": (worker.cpu_seconds() - cpu) / events * 1000}


@contextmanager
def _postgresql_databases(run: BenchRun) -> Iterator[list[StoredDatabase]]:
    """Yield databases like `compared_sqlite`, on a PostgreSQL server that waits for the disk, as in production."""
    with PostgresqlServer(run.path / "postgresql") as server:
        # Autovacuum would use CPU time at random moments of the measurement.
        server.execute("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        for revision in dict.fromkeys(run.revisions):
            url = server.create_database(_template(run, revision))
            filled_databases.run_migrations(revision, {**run.servers.environment, "DATABASE_URL": url})
        counts = [(run.current, run.size.many_subscriptions)]
        counts += [(revision, run.size.few_subscriptions) for revision in run.revisions]
        created = {pair: _create_postgresql(run, server, *pair) for pair in dict.fromkeys(counts)}
        server.execute("CHECKPOINT", "ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()")
        yield [created[pair] for pair in counts]


def _create_postgresql(
    run: BenchRun, server: PostgresqlServer, revision: Revision, subscriptions: int
) -> StoredDatabase:
    template = _template(run, revision)
    url = server.create_database(f"{template}_{subscriptions}", template)
    filled_databases.fill_postgresql(url, subscriptions)
    return StoredDatabase(revision, url, subscriptions, server.pid)


def _template(run: BenchRun, revision: Revision) -> str:
    """Return the name of the revision's database without subscriptions."""
    return f"migrated_{run.revisions.index(revision)}"
