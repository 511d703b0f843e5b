"""Runs one worker process, feeds it events as fast as it receives them, and measures it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, create_engine, func, select

from app.models import Subscription
from tests.bench.fake_sqs import FakeQueue
from tests.bench.measurements import RoundResults
from tests.support import factories, processes
from tests.support.app_processes import WITHOUT_DOTENV, WORKER_ARGUMENTS

WORKER_COMMAND = ["-m", *WORKER_ARGUMENTS]
COUNT_UNREVIEWED = select(func.count()).select_from(Subscription).where(Subscription.review_at.is_not(None))
REVIEW_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class MeasuredWorker:
    """A running worker, its queue and its database; `cpu_seconds` includes the PostgreSQL server's."""

    queue: FakeQueue
    database: Engine
    cpu_seconds: Callable[[], float]

    def apply_events(self, events: int) -> tuple[float, float]:
        """Let it apply events and review their subscriptions; return events per second, and CPU seconds per event."""
        cpu = self.cpu_seconds()
        elapsed = self.queue.deliver(events)
        self.wait_for_reviews()
        return events / elapsed, (self.cpu_seconds() - cpu) / events

    def wait_for_reviews(self) -> None:
        """Wait until no subscription needs a review."""
        deadline = time.monotonic() + REVIEW_TIMEOUT_SECONDS
        while True:
            with self.database.connect() as connection:
                unreviewed = connection.scalar(COUNT_UNREVIEWED)
            if not unreviewed:
                return
            assert time.monotonic() < deadline, f"{unreviewed} subscriptions have not been reviewed"
            time.sleep(0.05)


@contextmanager
def run_worker(
    environment: dict[str, str], subscriptions: int, log: Path, postgresql_pid: int | None = None
) -> Iterator[MeasuredWorker]:
    """Run a worker on the environment's database, which has this many subscriptions."""
    queue = FakeQueue(subscriptions)
    engine = create_engine(factories.sqlalchemy_url(environment["DATABASE_URL"]))
    with queue.server as sqs:
        settings = {"EVENTS_QUEUE_URL": f"{sqs.url}/123456789012/events", "AWS_ENDPOINT_URL_SQS": sqs.url}
        with processes.run_python(WORKER_COMMAND, {**environment, **settings, **WITHOUT_DOTENV}, log) as process:
            pids = [process.pid, *([postgresql_pid] if postgresql_pid else [])]
            yield MeasuredWorker(queue, engine, lambda: sum(map(processes.cpu_seconds, pids)))
    engine.dispose()


def measure_workers(workers: list[MeasuredWorker], events: int, rounds: int) -> list[RoundResults]:
    """Return each worker's results; a first round for warming up is left out."""
    results = [RoundResults() for _ in workers]
    for worker in workers:
        worker.wait_for_reviews()
    for number in range(rounds + 1):
        for worker, result in zip(workers, results, strict=True):
            rate, cpu = worker.apply_events(events)
            if number:
                result.rates.append(rate)
                result.cpu_per_request.append(cpu)
    return results
