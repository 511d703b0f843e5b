"""The runs: what is done to which processes under which load, and the report of what was lost by it."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

from sandbox.server import Sandbox
from tests.endurance.buyer_load import BuyerLoad
from tests.endurance.killable_processes import Gunicorn
from tests.endurance.registration_report import RegistrationReport, compare_registrations
from tests.endurance.submissions import SubmissionLog
from tests.support import factories
from tests.support.postgresql_server import PostgresqlServer

RECOVERY_SUBMISSIONS = 5

# What is done to a process, and what starts it again where nobody else does.
KillAndRestart = tuple[Callable[[], object], Callable[[], object] | None]


@dataclass(frozen=True)
class RunEnvironment:
    """Where a run takes place: its database, its AWS, and a folder for what is left over."""

    database_url: str
    sandbox: Sandbox
    folder: Path

    def gunicorn(self, workers: int | None = None) -> Gunicorn:
        """Return gunicorn for this stage, not started yet."""
        return Gunicorn(factories.environment(self.database_url, self.sandbox.aws_url), self.folder, workers)

    def build_report(
        self, name: str, ledger: SubmissionLog, recoveries: list[float] | None = None
    ) -> RegistrationReport:
        """Return the report, with the database counted now; each recovery was from a kill."""
        counts = compare_registrations(self.database_url, ledger.purchases)
        kind = self.database_url.partition(":")[0]
        return RegistrationReport(f"{name}, {kind}", counts, ledger, recoveries or [])


@dataclass(frozen=True)
class RunLength:
    """How long a run goes on: at the least so many rounds and so many seconds."""

    rounds: int
    seconds: float = 0

    def round_numbers(self) -> Iterator[int]:
        """Yield the number of each round, from 1."""
        end = time.monotonic() + self.seconds
        for number in count(1):
            yield number
            if number >= self.rounds and time.monotonic() >= end:
                return


def kill_gunicorn_under_load(stage: RunEnvironment, length: RunLength) -> RegistrationReport:
    """Kill workers, gunicorn, and both at once, each at a moment in which a buyer has just been told."""
    with stage.gunicorn() as gunicorn, BuyerLoad(gunicorn.port, stage.sandbox) as load:
        worker: KillAndRestart = (gunicorn.kill_worker, None)
        everybody: KillAndRestart = (gunicorn.kill_all, gunicorn.start)
        master: KillAndRestart = (gunicorn.kill_master, gunicorn.start)
        recoveries = kill_in_rotation(load, length, [worker, everybody, worker, master])
    return stage.build_report("gunicorn killed", load.submission_log, recoveries)


def kill_postgresql_under_load(
    stage: RunEnvironment, server: PostgresqlServer, length: RunLength
) -> RegistrationReport:
    """Stop PostgreSQL without ending anything, or kill one of its processes; gunicorn is left alone."""
    with stage.gunicorn() as gunicorn, BuyerLoad(gunicorn.port, stage.sandbox) as load:
        before = set(gunicorn.worker_pids())
        recoveries = kill_in_rotation(
            load, length, [(server.stop_immediately, server.start), (server.kill_random_process, None)]
        )
        assert before <= set(gunicorn.worker_pids()), "a worker died of it"
    return stage.build_report("PostgreSQL killed", load.submission_log, recoveries)


def run_parallel_workers(stage: RunEnvironment, workers: int, length: RunLength) -> RegistrationReport:
    """Let so many processes serve browsers that share some purchases and send each form twice."""
    with (
        stage.gunicorn(workers) as gunicorn,
        BuyerLoad(gunicorn.port, stage.sandbox, buyers=24, sharing=(1, 3, 6), times=2) as load,
    ):
        for _ in length.round_numbers():
            load.wait_for_acknowledged(RECOVERY_SUBMISSIONS)
    return stage.build_report(f"{workers} processes side by side", load.submission_log)


def kill_in_rotation(load: BuyerLoad, length: RunLength, kills: list[KillAndRestart]) -> list[float]:
    """Strike blow after blow, and return the seconds from each restart until buyers are served again."""
    recoveries: list[float] = []
    for _, (blow, restart) in zip(length.round_numbers(), cycle(kills), strict=False):
        load.run_after_acknowledged(random_kill_delay(), blow)
        if restart:
            restart()
        restarted = time.monotonic()
        load.wait_for_acknowledged(RECOVERY_SUBMISSIONS)
        recoveries.append(time.monotonic() - restarted)
    return recoveries


def random_kill_delay() -> int:
    """Return after how many acknowledgements the next blow comes."""
    return random.randint(1, 10)  # noqa: S311
