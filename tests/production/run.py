"""The run: buyers register all the time, while tasks are killed, the image is updated, broken and rolled back."""

import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox.server import Sandbox
from tests.endurance.buyer_load import BuyerLoad
from tests.production import images, report
from tests.production.report import ProductionReport
from tests.production.stack import DOMAIN, Stack
from tests.support.local_service import Service
from tests.support.postgresql_server import PostgresqlServer

# A killed task's requests, and those that come before ECS has seen it.
BLIND_SECONDS = 2
REPLACEMENT_SECONDS = 120
PRESENT, NEXT = "foyer:present", "foyer:next"


@dataclass(frozen=True)
class RunLength:
    """How fast health checks and drains pass, how many buyers come, and how often each kind of task is killed.

    `registrations` are waited for after each step. With `ends_leases` the run does not wait for killed workers' leases.
    """

    speed: float
    buyers: int
    pause: float
    kills: int
    registrations: int
    broken_images: tuple[str, ...]
    ends_leases: bool


SHORT = RunLength(20, buyers=1, pause=0.4, kills=1, registrations=1, broken_images=("failing",), ends_leases=True)
LONG = RunLength(
    1, buyers=4, pause=0.5, kills=3, registrations=20, broken_images=("failing", "unhealthy"), ends_leases=False
)


class ProductionRun:
    """One run on an empty database."""

    def __init__(self, stack: Stack, length: RunLength) -> None:
        self._stack, self._length = stack, length
        self._started = time.monotonic()
        self._killed_at: list[float] = []
        self._kills = self._updates = self._given_up = 0
        self._files = stack.image_files()

    def run(self, name: str) -> ProductionReport:
        """Deploy, and let buyers come until everything has happened; return the report."""
        assert self._stack.deploy(PRESENT), self._stack.web.describe()
        port = self._stack.load_balancer.https_port
        buyers, pause = self._length.buyers, self._length.pause
        with BuyerLoad(port, self._stack.sandbox, buyers=buyers, sharing=(1,), pause=pause, host=DOMAIN) as load:
            self._wait_for_buyers(load)
            for _ in range(self._length.kills):
                self._kill(load, self._stack.web)
                self._kill(load, self._stack.worker)
            self._update(load, NEXT)
            for kind in self._length.broken_images:
                self._try_broken(load, kind)
            # The release before, on the tables of the next one.
            self._update(load, PRESENT)
        log = load.submission_log
        report.wait_for_deliveries(self._stack, log, ends_leases=self._length.ends_leases)
        return ProductionReport(
            name,
            report.count_registrations(self._stack, log),
            report.count_handoffs(self._stack, log),
            report.count_events(self._stack),
            report.count_answers(self._stack, log, self._killed_at, BLIND_SECONDS),
            kills=self._kills,
            updates=self._updates,
            given_up=self._given_up,
            tasks=len(self._stack.all_tasks),
            killed_at_timeout=sum(task.killed_at_timeout for task in self._stack.all_tasks),
            error_lines=len(report.error_lines(self._stack.all_tasks)),
            written_files=len(self._stack.image_files() - self._files),
            seconds=time.monotonic() - self._started,
        )

    def _wait_for_buyers(self, load: BuyerLoad) -> None:
        load.wait_for_acknowledged(self._length.registrations)

    def _kill(self, load: BuyerLoad, service: Service) -> None:
        """Kill the oldest task at the moment a buyer's registration is acknowledged; another one replaces it."""
        [task, *_] = service.running()
        replaced = service.replaced

        def kill() -> None:
            if service is self._stack.web:
                self._killed_at.append(time.monotonic())
            task.kill()

        load.run_after_acknowledged(1, kill)
        self._kills += 1
        while service.replaced == replaced:
            time.sleep(0.02)
        assert service.wait_until_steady(REPLACEMENT_SECONDS)
        assert task.containers[task.definition[-1]["Name"]].exit_code == -signal.SIGKILL
        self._wait_for_buyers(load)

    def _update(self, load: BuyerLoad, image: str) -> None:
        assert self._stack.deploy(image), self._stack.web.describe()
        self._updates += 1
        self._wait_for_buyers(load)

    def _try_broken(self, load: BuyerLoad, kind: str) -> None:
        """Deploy an image that does not work: it is given up, and the tasks before it go on."""
        before = self._stack.web.running()
        assert not self._stack.deploy(f"foyer:{kind}")
        assert self._stack.web.running() == before
        self._given_up += 1
        self._wait_for_buyers(load)


def run_on_empty_database(stack: ExitStack, folder: Path, sandbox: Sandbox, length: RunLength) -> ProductionReport:
    """Run once on a PostgreSQL server of its own, which with all else runs until `stack` is closed."""
    server = stack.enter_context(PostgresqlServer(folder / "postgresql"))
    production = Stack(stack, folder, sandbox, server, length.speed)
    present = images.build(folder / "present")
    production.images |= {PRESENT: present, NEXT: images.build_next(present, folder / "next")}
    for kind in length.broken_images:
        production.images[f"foyer:{kind}"] = images.build_broken(present, kind, folder / kind)
    return ProductionRun(production, length).run(f"production, {1 / length.speed:.0%} of the template's waits")
