"""Runs one worker process, gives it work, and measures it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, TextClause, create_engine, text

from tests.bench.bench_run import BenchRun
from tests.bench.fake_sqs import FakeQueue
from tests.bench.filled_databases import StoredDatabase
from tests.bench.rounds import Figures
from tests.support import factories, processes
from tests.support.app_processes import WITHOUT_DOTENV, WORKER_ARGUMENTS

WORKER_COMMAND = ["-m", *WORKER_ARGUMENTS]
COUNT_UNREVIEWED = text("SELECT count(*) FROM subscriptions WHERE review_at IS NOT NULL")
WORK_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class MeasuredWorker:
    """A running worker, the ids of its process and of its PostgreSQL server, its database and its queue."""

    pids: list[int]
    database: Engine
    queue: FakeQueue

    def cpu_seconds(self) -> float:
        """Return the CPU time of the worker and its PostgreSQL server so far."""
        return sum(map(processes.cpu_seconds, self.pids))

    def apply_events(self, events: int) -> Figures:
        """Let it apply events and review their subscriptions; return the `rate` per second and `cpu_ms` per event."""
        cpu = self.cpu_seconds()
        elapsed = self.queue.deliver(events)
        self.wait_for_reviews()
        return {"rate": events / elapsed, "cpu_ms": (self.cpu_seconds() - cpu) / events * 1000}

    def wait_for_reviews(self) -> None:
        """Wait until no subscription needs a review."""
        self.wait_until_none(COUNT_UNREVIEWED)

    def wait_until_none(self, count: TextClause) -> None:
        """Wait until the query counts nothing."""
        deadline = time.monotonic() + WORK_TIMEOUT_SECONDS
        while True:
            with self.database.connect() as connection:
                rows = connection.scalar(count)
            if not rows:
                return
            assert time.monotonic() < deadline, f"{rows} rows are left: {count}"
            time.sleep(0.05)


@contextmanager
def run_worker(
    run: BenchRun, database: StoredDatabase, settings: dict[str, str], queue: FakeQueue
) -> Iterator[MeasuredWorker]:
    """Run a worker of the database's revision with these settings."""
    variables = {**run.servers.environment, **WITHOUT_DOTENV, "DATABASE_URL": database.url, **settings}
    engine = create_engine(factories.sqlalchemy_url(database.url))
    revision = database.revision
    with processes.run_python(
        WORKER_COMMAND, variables, run.path / "worker.log", python=revision.python, folder=revision.root
    ) as process:
        pids = [process.pid, *([database.postgresql_pid] if database.postgresql_pid else [])]
        yield MeasuredWorker(pids, engine, queue)
    engine.dispose()


@contextmanager
def run_with_queue(run: BenchRun, database: StoredDatabase) -> Iterator[MeasuredWorker]:
    """Run a worker that reads events from a queue of its own."""
    queue = FakeQueue(database.subscriptions)
    with queue.server as sqs:
        settings = {"EVENTS_QUEUE_URL": f"{sqs.url}/123456789012/events", "AWS_ENDPOINT_URL_SQS": sqs.url}
        with run_worker(run, database, settings, queue) as worker:
            yield worker
