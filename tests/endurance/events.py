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
from tests import factories
from tests.endurance import lives, told
from tests.endurance.lives import Life
from tests.endurance.runs import Stage
from tests.endurance.sqs import Queue
from tests.endurance.told import Told
from tests.endurance.victims import Victim

# So few lives under way at once that workers meet in the same one.
AT_ONCE = 20
# More are sent when no more messages than these are left.
FEW = 40
DOUBLED = 0.15
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.01
GARBAGE = ("not JSON", "[]", '{"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2"}', "{}")


class Crew:
    """Workers side by side, of which one after another is killed and started again."""

    def __init__(self, stage: Stage, queue: Queue, workers: int) -> None:
        environment = factories.environment(stage.database_url, stage.sandbox.aws_url)
        whole = {**environment, **queue.environment, "FLASK_SKIP_DOTENV": "1"}
        self._workers = [Victim(["flask", "--app", "wsgi", "worker"], whole, stage.folder) for _ in range(workers)]
        self._queue = queue
        self.log = self._workers[0].log
        self.kills = 0
        self.cut_off = 0

    def __enter__(self) -> "Crew":
        self._stack = ExitStack()
        for worker in self._workers:
            self._stack.enter_context(worker)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kill_one(self) -> None:
        """Kill one at a moment of its own, and start another for it."""
        time.sleep(random.uniform(0, 0.1))  # noqa: S311
        worker = random.choice(self._workers)  # noqa: S311
        worker.kill_all()
        self.kills += 1
        self.cut_off += self._queue.in_flight > 0
        worker.start()


def workers_killed(stage: Stage, purchases: int, kills: int, workers: int = 2) -> Told:
    """Let so many purchases live, so many times kill a worker meanwhile, and hold what is stored against the truth."""
    started = time.monotonic()
    every = lives.several(purchases)
    portions = [every[first : first + AT_ONCE] for first in range(0, purchases, AT_ONCE)]
    with Queue() as queue, Crew(stage, queue, workers) as crew, _buyers(stage) as buyers:
        sent = _feed(queue, portions, crew, kills, buyers)
        _await(queue, 0)
        buyers.settle()
        _review_the_rest(buyers.app)
    counts = told.compare(stage.database_url, every, crew.log.read_text())
    name = f"worker killed among {workers}, events in any order, {stage.database_url.partition(':')[0]}"
    return Told(name, counts, sent, queue.buried, crew.kills, crew.cut_off, time.monotonic() - started)


def _feed(queue: Queue, portions: list[list[Life]], crew: Crew, kills: int, buyers: "Buyers") -> told.Sent:
    """Send portion after portion, each shuffled with doubles of the one before; kill evenly in between."""
    sent = told.Sent()
    last: list[str] = []
    for number, portion in enumerate(portions):
        bodies = [body for life in portion for body in life.bodies.values()]
        doubles = [body for body in bodies + last if random.random() < DOUBLED]  # noqa: S311
        garbage = random.sample(GARBAGE, 1)
        queue.put(random.sample([*bodies, *doubles, *garbage], len(bodies) + len(doubles) + 1))
        sent.add(len(bodies), len(doubles), garbage)
        buyers.come([life for life in portion if life.lands])
        while crew.kills * len(portions) < (number + 1) * kills:
            crew.kill_one()
        _await(queue, FEW)
        last = bodies
    return sent


def _await(queue: Queue, few: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while queue.left > few:
        assert time.monotonic() < deadline, f"{queue.left} messages are left in the queue"
        time.sleep(POLL_SECONDS)


class Buyers:
    """Those who land and sign up while the events come."""

    def __init__(self, app: Flask, threads: ThreadPoolExecutor) -> None:
        self.app = app
        self._threads = threads
        self._under_way: list[Future[None]] = []

    def come(self, landing: list[Life]) -> None:
        """Let the buyers of these lives come."""
        self._under_way += [self._threads.submit(self._sign_up, life) for life in landing]

    def settle(self) -> None:
        """Wait until each has been served."""
        for visit in self._under_way:
            visit.result()

    def _sign_up(self, life: Life) -> None:
        time.sleep(random.uniform(0, 0.2))  # noqa: S311
        with self.app.app_context():
            arrived = life.arrived()
            subscriptions.arrive(arrived.arrival)
            registrations.complete(arrived, factories.answers(company=life.company))


@contextmanager
def _buyers(stage: Stage) -> Iterator[Buyers]:
    settings = factories.settings(database_url=stage.database_url)
    with factories.running(create_app(settings)) as app, ThreadPoolExecutor(2) as threads:
        yield Buyers(app, threads)


def _review_the_rest(app: Flask) -> None:
    """Review what is left, once the leases of those that were killed are over."""
    with app.app_context(), time_machine.travel(datetime.now(UTC) + 2 * review.LEASE):
        while review.review_next() is not None:
            pass
