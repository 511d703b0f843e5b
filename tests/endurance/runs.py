"""The runs: what is done to which processes under which load, and the report of what was lost by it."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

from sandbox.server import Sandbox
from tests import factories
from tests.endurance.count import Report, compare
from tests.endurance.ledger import Ledger
from tests.endurance.load import Load
from tests.endurance.postgresql import PostgreSQL
from tests.endurance.victims import Gunicorn

RECOVERED = 5

# What is done to a process, and what starts it again where nobody else does.
Blow = tuple[Callable[[], object], Callable[[], object] | None]


@dataclass(frozen=True)
class Stage:
    """Where a run takes place: its database, its AWS, and a folder for what is left over."""

    database_url: str
    sandbox: Sandbox
    folder: Path

    def gunicorn(self, workers: int | None = None) -> Gunicorn:
        """Return gunicorn for this stage, not started yet."""
        return Gunicorn(factories.environment(self.database_url, self.sandbox.aws_url), self.folder, workers)

    def report(self, name: str, ledger: Ledger, recoveries: list[float] | None = None) -> Report:
        """Return the report, with the database counted now; each recovery was from a kill."""
        counts = compare(self.database_url, ledger.purchases)
        kind = self.database_url.partition(":")[0]
        return Report(f"{name}, {kind}", counts, ledger, recoveries or [])


@dataclass(frozen=True)
class Length:
    """How long a run goes on: at the least so many rounds and so many seconds."""

    rounds: int
    seconds: float = 0

    def numbers(self) -> Iterator[int]:
        """Yield the number of each round, from 1."""
        end = time.monotonic() + self.seconds
        for number in count(1):
            yield number
            if number >= self.rounds and time.monotonic() >= end:
                return


def gunicorn_killed(stage: Stage, length: Length) -> Report:
    """Kill workers, gunicorn, and both at once, each at a moment in which a buyer has just been told."""
    with stage.gunicorn() as gunicorn, Load(gunicorn.port, stage.sandbox) as load:
        worker: Blow = (gunicorn.kill_worker, None)
        everybody: Blow = (gunicorn.kill_all, gunicorn.start)
        master: Blow = (gunicorn.kill_master, gunicorn.start)
        recoveries = strike_by_turns(load, length, [worker, everybody, worker, master])
    return stage.report("gunicorn killed", load.ledger, recoveries)


def postgresql_killed(stage: Stage, server: PostgreSQL, length: Length) -> Report:
    """Stop PostgreSQL without ending anything, or kill one of its processes; gunicorn is left alone."""
    with stage.gunicorn() as gunicorn, Load(gunicorn.port, stage.sandbox) as load:
        before = set(gunicorn.workers())
        recoveries = strike_by_turns(load, length, [(server.stop_at_once, server.start), (server.kill_process, None)])
        assert before <= set(gunicorn.workers()), "a worker died of it"
    return stage.report("PostgreSQL killed", load.ledger, recoveries)


def side_by_side(stage: Stage, workers: int, length: Length) -> Report:
    """Let so many processes serve browsers that share some purchases and send each form twice."""
    with (
        stage.gunicorn(workers) as gunicorn,
        Load(gunicorn.port, stage.sandbox, buyers=24, sharing=(1, 3, 6), times=2) as load,
    ):
        for _ in length.numbers():
            load.await_acknowledged(RECOVERED)
    return stage.report(f"{workers} processes side by side", load.ledger)


def strike_by_turns(load: Load, length: Length, blows: list[Blow]) -> list[float]:
    """Strike blow after blow, and return the seconds from each restart until buyers are served again."""
    recoveries: list[float] = []
    for _, (blow, restart) in zip(length.numbers(), cycle(blows), strict=False):
        load.strike(soon(), blow)
        if restart:
            restart()
        restarted = time.monotonic()
        load.await_acknowledged(RECOVERED)
        recoveries.append(time.monotonic() - restarted)
    return recoveries


def soon() -> int:
    """Return after how many acknowledgements the next blow comes."""
    return random.randint(1, 10)  # noqa: S311
