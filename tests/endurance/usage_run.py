"""The run in which workers are killed while they send usage: before AWS bills it, before they store that, and after."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from urllib.parse import urlsplit

from sqlalchemy import Select, func, select

from app.database.transactions import current_database
from app.models import UsageHour
from sandbox.faults import Faults
from sandbox.metering import dimensions
from sandbox.purchases import Purchase
from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.killable_processes import KillableProcess
from tests.endurance.registration_report import format_figures
from tests.support import factories, metered_product
from tests.support.metered_product import MeteredProduct

STARTED_AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
# A worker lives for one call of 25 hours, and of three such calls one is stored. With more hours in a round, those that
# wait would become too old.
DIMENSIONS = [dimension.key for dimension in dimensions.METERED][:2]
PURCHASES = 3
# The lease of a killed worker is over by then, and the next hour too.
STEP = timedelta(hours=1)
POLL_SECONDS = 0.02
# Not the rows: the sandbox, which is in this process, has to answer the worker meanwhile.
COUNT_BILLED = select(func.count()).where(UsageHour.state == "billed")
COUNT_UNSETTLED = select(func.count()).where(UsageHour.due_at.is_not(None))
TIMEOUT_SECONDS = 60


@dataclass
class UsageReport:
    """One run: what was accepted, and what AWS has billed.

    `wrong`: sums, by license, month and dimension, that are not those of the items. `twice`: records of an hour that is
    billed again. `unsettled`: hours that Foyer does not know to be billed.
    """

    name: str
    items: int
    records: int
    calls: int
    wrong: int
    twice: int
    unsettled: int
    kills: Counter[str]
    seconds: float

    def is_lossless(self, at_least: int) -> bool:
        """Return whether at least this many records were billed, each once and with the sum of its items."""
        return self.wrong + self.twice + self.unsettled == 0 and self.records >= at_least

    def __str__(self) -> str:
        kills = {f"killed {point}": count for point, count in self.kills.items()}
        figures = {name: value for name, value in vars(self).items() if name not in {"kills", "name"}}
        return format_figures(self.name, {"name": self.name, **figures, **kills, "seconds": f"{self.seconds:.1f}"})


@dataclass
class _Run:
    """The product, its purchases, and the worker that is killed at one point after another."""

    metered: MeteredProduct
    worker: KillableProcess
    purchases: list[Purchase]
    kills: Counter[str] = field(default_factory=Counter)

    def use(self) -> None:
        """Let an hour be used, and be due."""
        for purchase in self.purchases:
            items = [self.metered.item(purchase, "0.7", dimension=name) for name in DIMENSIONS]
            self.metered.accept(*items)
        self.metered.sandbox.clock.advance(STEP)

    def kill_before_aws_bills(self) -> None:
        self._kill_during_call()
        answered = len(self.metered.calls())
        # Ends the wait of the call that is under way, which then fails.
        self.metered.sandbox.marketplace.change_faults(slow=0, aws_down=True)
        wait_until(lambda: len(self.metered.calls()) > answered, "the call is refused")
        self.metered.sandbox.marketplace.change_faults(aws_down=False)

    def kill_before_the_worker_stores_it(self) -> None:
        self._kill_during_call()
        answered = len(self.metered.calls())
        self.metered.sandbox.marketplace.change_faults(slow=0)
        wait_until(lambda: len(self.metered.calls()) > answered, "the call is billed")

    def kill_after_the_worker_stored_it(self) -> None:
        settled = count_hours(COUNT_BILLED)
        self.use()
        wait_until(lambda: count_hours(COUNT_BILLED) > settled, "an hour is billed")
        self.worker.kill_all()

    def _kill_during_call(self) -> None:
        marketplace = self.metered.sandbox.marketplace
        marketplace.change_faults(slow=60)
        received = marketplace.call_counts["BatchMeterUsage"]
        self.use()
        wait_until(lambda: marketplace.call_counts["BatchMeterUsage"] > received, "AWS is called")
        self.worker.kill_all()


def kill_workers_during_usage(run: RunEnvironment, kills: int) -> UsageReport:
    """Kill a worker at each of the points in turn, and compare AWS's ledger with the items."""
    started = time.monotonic()
    with _started(run) as usage:
        points = cycle(
            {
                "before": usage.kill_before_aws_bills,
                "booked": usage.kill_before_the_worker_stores_it,
                "after": usage.kill_after_the_worker_stored_it,
            }.items()
        )
        for number, (point, kill) in zip(range(kills), points, strict=False):
            # Both readings of what AWS answers to the same record again.
            run.sandbox.marketplace.change_faults(repeat_is_duplicate=number % 2 == 0)
            kill()
            usage.kills[point] += 1
            usage.worker.start()
        usage.use()
        wait_until(lambda: count_hours(COUNT_UNSETTLED) == 0, "all is settled")
        usage.worker.kill_all()
        name = f"worker killed while it sends usage, {run.database_kind}"
        return build_report(name, metered=usage.metered, kills=usage.kills, seconds=time.monotonic() - started)


@contextmanager
def _started(run: RunEnvironment) -> Iterator[_Run]:
    with ExitStack() as stack:
        run.sandbox.reset()
        app = stack.enter_context(factories.open_app_in(run.environment))
        metered = stack.enter_context(metered_product.open_product(app, run.sandbox))
        run.sandbox.clock.set(STARTED_AT)
        metered.set_rules(grace_minutes=0)
        purchases = [metered.buy() for _ in range(PURCHASES)]
        environment = {**run.environment, "AWS_PORT": str(urlsplit(run.sandbox.aws_url).port), "FLASK_SKIP_DOTENV": "1"}
        worker = KillableProcess(["sandbox.with_clock", "foyer", "worker"], environment, run.folder)
        stack.callback(setattr, run.sandbox.marketplace, "faults", Faults())
        yield _Run(metered, stack.enter_context(worker), purchases)


def build_report(name: str, metered: MeteredProduct, kills: Counter[str], seconds: float) -> UsageReport:
    """Compare AWS's ledger with the accepted items."""
    expected, billed = metered.expected(), metered.billed()
    return UsageReport(
        name=name,
        items=len(metered.accepted),
        records=len(metered.records()),
        calls=len(metered.calls()),
        wrong=sum(expected.get(key) != billed.get(key) for key in expected.keys() | billed.keys()),
        twice=len(metered.billed_twice()),
        unsettled=sum(state != "billed" for state in metered.states()),
        kills=kills,
        seconds=seconds,
    )


def count_hours(query: Select[tuple[int]]) -> int:
    with current_database().read_engine.connect() as connection:
        return connection.execute(query).scalar_one()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"it never happens: {what}"
        time.sleep(POLL_SECONDS)
