"""The worker under measure: one process, fed with events as fast as it takes them."""

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

WORKER_COMMAND = ["-m", "flask", "--app", "wsgi", "worker"]
COUNT_UNREVIEWED = select(func.count()).select_from(Subscription).where(Subscription.review_at.is_not(None))
REVIEW_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class MeasuredWorker:
    """A running worker with its queue and its database; `cpu_seconds` counts what works for it, the server included."""

    queue: FakeQueue
    database: Engine
    cpu_seconds: Callable[[], float]

    def apply_events(self, events: int) -> tuple[float, float]:
        """Let it apply so many events and review what they touched; return events a second, and CPU seconds each."""
        cpu = self.cpu_seconds()
        elapsed = self.queue.deliver(events)
        self.wait_for_reviews()
        return events / elapsed, (self.cpu_seconds() - cpu) / events

    def wait_for_reviews(self) -> None:
        """Wait until nothing is left to be reviewed."""
        deadline = time.monotonic() + REVIEW_TIMEOUT_SECONDS
        while True:
            with self.database.connect() as connection:
                left = connection.scalar(COUNT_UNREVIEWED)
            if not left:
                return
            assert time.monotonic() < deadline, f"{left} subscriptions have not been reviewed"
            time.sleep(0.05)


@contextmanager
def run_worker(
    environment: dict[str, str], subscriptions: int, log: Path, postgresql_pid: int | None = None
) -> Iterator[MeasuredWorker]:
    """Run a worker on the environment's database with its subscriptions; `server` is PostgreSQL's process."""
    feed = FakeQueue(subscriptions)
    engine = create_engine(factories.sqlalchemy_url(environment["DATABASE_URL"]))
    with feed.server as served:
        queue = {"EVENTS_QUEUE_URL": f"{served.url}/123456789012/events", "AWS_ENDPOINT_URL_SQS": served.url}
        with processes.run_python(WORKER_COMMAND, {**environment, **queue, "FLASK_SKIP_DOTENV": "1"}, log) as process:
            pids = [process.pid, *([postgresql_pid] if postgresql_pid else [])]
            yield MeasuredWorker(feed, engine, lambda: sum(map(processes.cpu_seconds, pids)))
    engine.dispose()


def measure_workers(workers: list[MeasuredWorker], events: int, rounds: int) -> list[RoundResults]:
    """Return what each worker did, after a first round that does not count."""
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
