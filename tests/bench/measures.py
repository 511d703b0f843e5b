"""What is measured: each measure puts the sides under the same load in turn, round after round."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from tests.bench import browsers, processes, visits
from tests.bench.browsers import Tally
from tests.bench.sides import Side

IMPORTS = "import time, flask, boto3, sqlalchemy; print(time.process_time())"
BUYERS_COME_SECONDS = 1
# Makes ready what is not measured, and returns what is.
Load = Callable[[Side], Callable[[], Tally]]


@dataclass
class Rounds:
    """What one side did, round by round: requests a second, CPU seconds a request; and each request's seconds."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, tally: Tally, elapsed: float, cpu: float) -> None:
        """Add one round's requests."""
        self.rates.append(len(tally.seconds) / elapsed)
        self.cpu.append(cpu / len(tally.seconds))
        self.seconds.extend(tally.seconds)

    def quantile_ms(self, share: float) -> float:
        """Return the time within which this share of the requests was answered, in milliseconds."""
        return Tally(self.seconds).quantile(share) * 1000


def in_turn(sides: list[Side], load: Load, rounds: int) -> list[Rounds]:
    """Return what each side did, after a first round that does not count."""
    results = [Rounds() for _ in sides]
    for number in range(rounds + 1):
        for side, result in zip(sides, results, strict=True):
            measured = load(side)
            cpu, start = side.cpu_seconds(), time.perf_counter()
            tally = measured()
            elapsed, cpu = time.perf_counter() - start, side.cpu_seconds() - cpu
            result.errors.update(tally.errors)
            if number and tally.seconds:
                result.add(tally, elapsed, cpu)
    return results


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the rounds' ratios: rounds side by side had the same neighbours on the machine."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def landings(connections: int, seconds: float, wait: float = 0) -> Load:
    """Return the load of so many buyers who land again and again, each time with a new purchase."""

    def load(side: Side) -> Callable[[], Tally]:
        requests = browsers.until(seconds, visits.landings(wait))
        return lambda: _ask(side, connections, requests, visits.LANDED)

    return load


def signups(count: int, connections: int) -> Load:
    """Return the load of so many buyers who have landed and now get the form and send it: two requests each."""

    def load(side: Side) -> Callable[[], Tally]:
        landed = _ask(side, connections, islice(visits.landings(0), count), visits.LANDED)
        forms = [visits.form(answer) for _, answer in landed.exchanges]

        def sign_up() -> Tally:
            shown = _ask(side, connections, iter(forms), visits.FORM_SHOWN)
            filled_in = (visits.registration(*exchange) for exchange in shown.exchanges)
            sent = _ask(side, connections, filled_in, visits.REGISTERED)
            return Tally(shown.seconds + sent.seconds, errors=landed.errors + shown.errors + sent.errors)

        return sign_up

    return load


def health_while_waiting(side: Side, buyers: int, seconds: float, wait: float) -> tuple[Tally, Tally]:
    """Return how /healthz was answered while so many buyers waited for AWS, and how the buyers were."""

    async def both() -> tuple[Tally, Tally]:
        requests = browsers.until(BUYERS_COME_SECONDS + seconds, visits.landings(wait))
        landing = browsers.browse(side.port, buyers, requests, visits.LANDED, spread=BUYERS_COME_SECONDS)
        buying = asyncio.create_task(landing)
        await asyncio.sleep(BUYERS_COME_SECONDS)
        health = await browsers.ask_after_health(side.port, seconds, every=0.01)
        return health, await buying

    return asyncio.run(both())


def import_cpu_seconds(times: int) -> float:
    """Return the median CPU time of a Python that imports flask, boto3 and sqlalchemy."""
    command = [sys.executable, "-c", IMPORTS]
    runs = [subprocess.run(command, cwd=processes.ROOT, check=True, capture_output=True) for _ in range(times)]
    return statistics.median(float(run.stdout) for run in runs)


def _ask(side: Side, connections: int, requests: Iterator[bytes], expected: tuple[bytes, ...]) -> Tally:
    return asyncio.run(browsers.browse(side.port, connections, requests, expected))
