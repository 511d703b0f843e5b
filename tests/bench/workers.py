"""The worker under measure: one process, fed with events as fast as it takes them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, create_engine, func, select

from app.models import Subscription
from tests import factories
from tests.bench import processes
from tests.bench.fake_sqs import Feed
from tests.bench.measures import Rounds

COMMAND = ["-m", "flask", "--app", "wsgi", "worker"]
UNDER_REVIEW = select(func.count()).select_from(Subscription).where(Subscription.review_at.is_not(None))
GIVE_UP_SECONDS = 60


@dataclass(frozen=True)
class Worker:
    """A running worker with its queue and its database; `cpu_seconds` counts what works for it, the server included."""

    feed: Feed
    database: Engine
    cpu_seconds: Callable[[], float]

    def work(self, events: int) -> tuple[float, float]:
        """Let it apply so many events and review what they touched; return events a second, and CPU seconds each."""
        cpu = self.cpu_seconds()
        elapsed = self.feed.give(events)
        self.settle()
        return events / elapsed, (self.cpu_seconds() - cpu) / events

    def settle(self) -> None:
        """Wait until nothing is left to be reviewed."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            with self.database.connect() as connection:
                left = connection.scalar(UNDER_REVIEW)
            if not left:
                return
            assert time.monotonic() < deadline, f"{left} subscriptions have not been reviewed"
            time.sleep(0.05)


@contextmanager
def working(environment: dict[str, str], subscriptions: int, log: Path, server: int | None = None) -> Iterator[Worker]:
    """Run a worker on the environment's database with its subscriptions; `server` is PostgreSQL's process."""
    feed = Feed(subscriptions)
    engine = create_engine(factories.sqlalchemy_url(environment["DATABASE_URL"]))
    with feed.served as served:
        queue = {"EVENTS_QUEUE_URL": f"{served.url}/123456789012/events", "AWS_ENDPOINT_URL_SQS": served.url}
        with processes.started(COMMAND, {**environment, **queue, "FLASK_SKIP_DOTENV": "1"}, log) as process:
            pids = [process.pid, *([server] if server else [])]
            yield Worker(feed, engine, lambda: sum(map(processes.cpu_seconds, pids)))
    engine.dispose()


def in_turn(workers: list[Worker], events: int, rounds: int) -> list[Rounds]:
    """Return what each worker did, after a first round that does not count."""
    results = [Rounds() for _ in workers]
    for worker in workers:
        worker.settle()
    for number in range(rounds + 1):
        for worker, result in zip(workers, results, strict=True):
            rate, cpu = worker.work(events)
            if number:
                result.rates.append(rate)
                result.cpu.append(cpu)
    return results
