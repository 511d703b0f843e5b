"""The runs in which processes are killed under a load of buyers, and one in which many run in parallel."""

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

# What kills a process, and what restarts it; None if gunicorn or PostgreSQL does that by itself.
KillAndRestart = tuple[Callable[[], object], Callable[[], object] | None]


@dataclass(frozen=True)
class RunEnvironment:
    """What a run needs: a database, the sandbox as AWS, and a folder for logs and temporary files."""

    database_url: str
    sandbox: Sandbox
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the processes."""
        return factories.environment(self.database_url, self.sandbox.aws_url)

    @property
    def database_kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.database_url.partition(":")[0]

    def gunicorn(self, workers: int | None = None) -> Gunicorn:
        """Return gunicorn, not started yet."""
        return Gunicorn(self.environment, self.folder, workers)

    def build_report(self, name: str, log: SubmissionLog, recoveries: list[float] | None = None) -> RegistrationReport:
        """Compare the database with the log; `recoveries` has the seconds of recovery after each kill."""
        counts = compare_registrations(self.database_url, log.purchases)
        return RegistrationReport(f"{name}, {self.database_kind}", counts, log, recoveries or [])


@dataclass(frozen=True)
class RunLength:
    """The minimum length of a run: rounds and seconds, whichever takes longer."""

    rounds: int
    seconds: float = 0

    def round_numbers(self) -> Iterator[int]:
        """Yield the number of each round, from 1."""
        end = time.monotonic() + self.seconds
        for number in count(1):
            yield number
            if number >= self.rounds and time.monotonic() >= end:
                return


def kill_gunicorn_under_load(run: RunEnvironment, length: RunLength) -> RegistrationReport:
    """Kill workers, the master, and all at once, each at the moment a submission has been acknowledged."""
    with run.gunicorn() as gunicorn, BuyerLoad(gunicorn.port, run.sandbox) as load:
        worker: KillAndRestart = (gunicorn.kill_worker, None)
        all_processes: KillAndRestart = (gunicorn.kill_all, gunicorn.start)
        master: KillAndRestart = (gunicorn.kill_master, gunicorn.start)
        recoveries = kill_in_rotation(load, length, [worker, all_processes, master])
    return run.build_report("gunicorn killed", load.submission_log, recoveries)


def kill_postgresql_under_load(run: RunEnvironment, server: PostgresqlServer, length: RunLength) -> RegistrationReport:
    """Crash PostgreSQL, or kill one of its processes; gunicorn must go on with the same workers."""
    with run.gunicorn() as gunicorn, BuyerLoad(gunicorn.port, run.sandbox) as load:
        worker_pids = set(gunicorn.worker_pids())
        recoveries = kill_in_rotation(
            load, length, [(server.stop_immediately, server.start), (server.kill_random_process, None)]
        )
        assert worker_pids <= set(gunicorn.worker_pids()), "a gunicorn worker died with PostgreSQL"
    return run.build_report("PostgreSQL killed", load.submission_log, recoveries)


def run_parallel_workers(run: RunEnvironment, workers: int, length: RunLength) -> RegistrationReport:
    """Let gunicorn's workers serve browsers that share purchases and send each form twice."""
    with (
        run.gunicorn(workers) as gunicorn,
        BuyerLoad(gunicorn.port, run.sandbox, buyers=24, sharing=(1, 3, 6), times=2) as load,
    ):
        for _ in length.round_numbers():
            load.wait_for_acknowledged(RECOVERY_SUBMISSIONS)
    return run.build_report(f"{workers} processes in parallel", load.submission_log)


def kill_in_rotation(load: BuyerLoad, length: RunLength, kills: list[KillAndRestart]) -> list[float]:
    """Kill once a round; return for each kill the seconds from the restart until five submissions are acknowledged."""
    recoveries: list[float] = []
    for _, (kill, restart) in zip(length.round_numbers(), cycle(kills), strict=False):
        load.run_after_acknowledged(random_kill_delay(), kill)
        if restart:
            restart()
        restarted = time.monotonic()
        load.wait_for_acknowledged(RECOVERY_SUBMISSIONS)
        recoveries.append(time.monotonic() - restarted)
    return recoveries


def random_kill_delay() -> int:
    """Return after how many acknowledgements the next kill comes."""
    return random.randint(1, 10)  # noqa: S311
