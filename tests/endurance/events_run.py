"""The run in which events arrive in any order, some twice, while workers are killed and buyers sign up."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import time_machine
from flask import Flask

from app import create_app
from app.services.events import review
from app.services.purchases import subscriptions
from app.services.signup import registrations
from tests.endurance import events_report, killable_processes, purchase_histories
from tests.endurance.events_report import EventsReport
from tests.endurance.fake_sqs import FakeQueue
from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.purchase_histories import PurchaseHistory
from tests.support import factories

# Few purchases at a time, so that workers often apply events of the same one at once.
BATCH_PURCHASES = 20
# The next batch is sent when at most this many messages are left.
REFILL_BELOW = 40
DUPLICATE_SHARE = 0.15
TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.01
INVALID_BODIES = (
    "not JSON",
    "[]",
    '{"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2"}',
    "{}",
)


class WorkerPool:
    """Parallel workers, which are killed one after another and started again."""

    def __init__(self, run: RunEnvironment, queue: FakeQueue, workers: int) -> None:
        environment = {**run.environment, **queue.environment}
        self._workers = [killable_processes.worker(environment, run.folder) for _ in range(workers)]
        self._queue = queue
        self.log = self._workers[0].log
        self.kills = 0
        self.kills_in_flight = 0

    def __enter__(self) -> "WorkerPool":
        self._stack = ExitStack()
        for worker in self._workers:
            self._stack.enter_context(worker)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kill_random_worker(self) -> None:
        """Kill one worker at a random moment within 0.1 s, and start it again."""
        time.sleep(random.uniform(0, 0.1))  # noqa: S311
        worker = random.choice(self._workers)  # noqa: S311
        worker.kill_all()
        self.kills += 1
        self.kills_in_flight += self._queue.in_flight > 0
        worker.start()


def kill_workers_during_events(run: RunEnvironment, purchases: int, kills: int, workers: int = 2) -> EventsReport:
    """Send the events of random histories while workers are killed; compare the database with the histories."""
    started = time.monotonic()
    histories = purchase_histories.create_histories(purchases)
    batches = [histories[first : first + BATCH_PURCHASES] for first in range(0, purchases, BATCH_PURCHASES)]
    with FakeQueue() as queue, WorkerPool(run, queue, workers) as pool, _run_buyers(run) as buyers:
        sent = _send_in_batches(queue, batches, pool, kills, buyers)
        _wait_for_queue(queue, 0)
        buyers.wait()
        _review_remaining(buyers.app)
    counts = events_report.compare_events(run.database_url, histories, pool.log.read_text())
    name = f"worker killed among {workers}, events in any order, {run.database_kind}"
    return EventsReport(
        name, counts, sent, queue.dead_lettered, pool.kills, pool.kills_in_flight, time.monotonic() - started
    )


def _send_in_batches(
    queue: FakeQueue, batches: list[list[PurchaseHistory]], pool: WorkerPool, kills: int, buyers: "BuyerThreads"
) -> events_report.SentMessages:
    """Send each batch shuffled, with duplicates from it and from the batch before; spread the kills evenly."""
    sent = events_report.SentMessages()
    previous_bodies: list[str] = []
    for number, batch in enumerate(batches, 1):
        bodies = [body for history in batch for body in history.bodies.values()]
        duplicates = [body for body in bodies + previous_bodies if random.random() < DUPLICATE_SHARE]  # noqa: S311
        invalid = random.sample(INVALID_BODIES, 1)
        messages = [*bodies, *duplicates, *invalid]
        queue.send(random.sample(messages, len(messages)))
        sent.add(len(bodies), len(duplicates), invalid)
        buyers.start([history for history in batch if history.has_buyer])
        while pool.kills * len(batches) < number * kills:
            pool.kill_random_worker()
        _wait_for_queue(queue, REFILL_BELOW)
        previous_bodies = bodies
    return sent


def _wait_for_queue(queue: FakeQueue, at_most: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while queue.remaining > at_most:
        assert time.monotonic() < deadline, f"{queue.remaining} messages are left in the queue"
        time.sleep(POLL_SECONDS)


class BuyerThreads:
    """Threads in which buyers land and sign up while the events arrive."""

    def __init__(self, app: Flask, threads: ThreadPoolExecutor) -> None:
        self.app = app
        self._threads = threads
        self._signups: list[Future[None]] = []

    def start(self, histories: list[PurchaseHistory]) -> None:
        self._signups += [self._threads.submit(self._sign_up, history) for history in histories]

    def wait(self) -> None:
        """Wait for every sign-up; raise what one of them raised."""
        for signup in self._signups:
            signup.result()

    def _sign_up(self, history: PurchaseHistory) -> None:
        time.sleep(random.uniform(0, 0.2))  # noqa: S311
        with self.app.app_context():
            purchase = history.resolved()
            subscriptions.upsert_from_landing(purchase.landing)
            registrations.complete(purchase, factories.answers(company=history.company))


@contextmanager
def _run_buyers(run: RunEnvironment) -> Iterator[BuyerThreads]:
    settings = factories.settings(database_url=run.database_url)
    with factories.open_app(create_app(settings)) as app, ThreadPoolExecutor(2) as threads:
        yield BuyerThreads(app, threads)


def _review_remaining(app: Flask) -> None:
    """Review the remaining subscriptions at a time when the leases of killed workers have expired."""
    with app.app_context(), time_machine.travel(datetime.now(UTC) + 2 * review.LEASE):
        while review.process_next() is not None:
            pass
