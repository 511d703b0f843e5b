"""The run in which AWS's events come in any order, doubled, while workers are killed and buyers land."""

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
from tests.endurance import events_report, purchase_histories
from tests.endurance.events_report import EventsReport
from tests.endurance.fake_sqs import FakeQueue
from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.killable_processes import KillableProcess
from tests.endurance.purchase_histories import PurchaseHistory
from tests.support import factories

# So few lives under way at once that workers meet in the same one.
BATCH_PURCHASES = 20
# More are sent when no more messages than these are left.
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
    """Workers side by side, of which one after another is killed and started again."""

    def __init__(self, stage: RunEnvironment, queue: FakeQueue, workers: int) -> None:
        environment = factories.environment(stage.database_url, stage.sandbox.aws_url)
        whole = {**environment, **queue.environment, "FLASK_SKIP_DOTENV": "1"}
        self._workers = [
            KillableProcess(["flask", "--app", "wsgi", "worker"], whole, stage.folder) for _ in range(workers)
        ]
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
        """Kill one at a moment of its own, and start another for it."""
        time.sleep(random.uniform(0, 0.1))  # noqa: S311
        worker = random.choice(self._workers)  # noqa: S311
        worker.kill_all()
        self.kills += 1
        self.kills_in_flight += self._queue.in_flight > 0
        worker.start()


def kill_workers_during_events(stage: RunEnvironment, purchases: int, kills: int, workers: int = 2) -> EventsReport:
    """Let so many purchases live, so many times kill a worker meanwhile, and hold what is stored against the truth."""
    started = time.monotonic()
    every = purchase_histories.create_histories(purchases)
    portions = [every[first : first + BATCH_PURCHASES] for first in range(0, purchases, BATCH_PURCHASES)]
    with FakeQueue() as queue, WorkerPool(stage, queue, workers) as crew, _run_buyers(stage) as buyers:
        sent = _send_in_batches(queue, portions, crew, kills, buyers)
        _wait_for_queue(queue, 0)
        buyers.wait()
        _review_remaining(buyers.app)
    counts = events_report.compare_events(stage.database_url, every, crew.log.read_text())
    name = f"worker killed among {workers}, events in any order, {stage.database_url.partition(':')[0]}"
    return EventsReport(
        name, counts, sent, queue.dead_lettered, crew.kills, crew.kills_in_flight, time.monotonic() - started
    )


def _send_in_batches(
    queue: FakeQueue, portions: list[list[PurchaseHistory]], crew: WorkerPool, kills: int, buyers: "BuyerThreads"
) -> events_report.SentMessages:
    """Send portion after portion, each shuffled with doubles of the one before; kill evenly in between."""
    sent = events_report.SentMessages()
    last: list[str] = []
    for number, portion in enumerate(portions):
        bodies = [body for life in portion for body in life.bodies.values()]
        doubles = [body for body in bodies + last if random.random() < DUPLICATE_SHARE]  # noqa: S311
        garbage = random.sample(INVALID_BODIES, 1)
        queue.send(random.sample([*bodies, *doubles, *garbage], len(bodies) + len(doubles) + 1))
        sent.add(len(bodies), len(doubles), garbage)
        buyers.start([life for life in portion if life.has_buyer])
        while crew.kills * len(portions) < (number + 1) * kills:
            crew.kill_random_worker()
        _wait_for_queue(queue, REFILL_BELOW)
        last = bodies
    return sent


def _wait_for_queue(queue: FakeQueue, at_most: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while queue.remaining > at_most:
        assert time.monotonic() < deadline, f"{queue.remaining} messages are left in the queue"
        time.sleep(POLL_SECONDS)


class BuyerThreads:
    """Those who land and sign up while the events come."""

    def __init__(self, app: Flask, threads: ThreadPoolExecutor) -> None:
        self.app = app
        self._threads = threads
        self._under_way: list[Future[None]] = []

    def start(self, purchases: list[PurchaseHistory]) -> None:
        """Let the buyers of these lives come."""
        self._under_way += [self._threads.submit(self._sign_up, life) for life in purchases]

    def wait(self) -> None:
        """Wait until each has been served."""
        for visit in self._under_way:
            visit.result()

    def _sign_up(self, life: PurchaseHistory) -> None:
        time.sleep(random.uniform(0, 0.2))  # noqa: S311
        with self.app.app_context():
            arrived = life.resolved()
            subscriptions.upsert_from_landing(arrived.landing)
            registrations.complete(arrived, factories.answers(company=life.company))


@contextmanager
def _run_buyers(stage: RunEnvironment) -> Iterator[BuyerThreads]:
    settings = factories.settings(database_url=stage.database_url)
    with factories.open_app(create_app(settings)) as app, ThreadPoolExecutor(2) as threads:
        yield BuyerThreads(app, threads)


def _review_remaining(app: Flask) -> None:
    """Review what is left, once the leases of those that were killed are over."""
    with app.app_context(), time_machine.travel(datetime.now(UTC) + 2 * review.LEASE):
        while review.process_next() is not None:
            pass
