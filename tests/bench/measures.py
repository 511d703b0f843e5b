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

IMPORTS = "import time; t = time.process_time(); import flask, boto3, sqlalchemy; print(time.process_time())"
Load = Callable[[Side], Tally]


@dataclass
class Rounds:
    """What one side did in its rounds: requests a second, CPU seconds a request, and seconds a request took."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def rate(self) -> float:
        """Return the median requests per second."""
        return statistics.median(self.rates)

    def cpu_ms(self) -> float:
        """Return the median CPU time of a request, in milliseconds."""
        return statistics.median(self.cpu) * 1000

    def quantile_ms(self, share: float) -> float:
        """Return the time within which this share of the requests was answered, in milliseconds."""
        return Tally(self.seconds).quantile(share) * 1000


def in_turn(sides: list[Side], load: Load, rounds: int) -> list[Rounds]:
    """Return what each side did, after a first round that does not count."""
    results = [Rounds() for _ in sides]
    for number in range(rounds + 1):
        for side, result in zip(sides, results, strict=True):
            cpu, start = side.cpu_seconds(), time.perf_counter()
            tally = load(side)
            elapsed = time.perf_counter() - start
            result.errors.update(tally.errors)
            if number and tally.seconds:
                result.rates.append(len(tally.seconds) / elapsed)
                result.cpu.append((side.cpu_seconds() - cpu) / len(tally.seconds))
                result.seconds.extend(tally.seconds)
    return results


def landings(connections: int, seconds: float) -> Load:
    """Return the load of so many buyers who land again and again, each time with a new purchase."""

    def load(side: Side) -> Tally:
        requests = browsers.until(seconds, visits.landings())
        return asyncio.run(browsers.browse(side.port, connections, requests, visits.LANDED))

    return load


def signups(count: int, connections: int) -> Load:
    """Return the load of so many buyers who have landed and now get the form and send it: two requests each."""

    def load(side: Side) -> Tally:
        def ask(requests: Iterator[bytes], expected: tuple[bytes, ...]) -> Tally:
            return asyncio.run(browsers.browse(side.port, connections, requests, expected))

        landed = ask(islice(visits.landings(), count), visits.LANDED).answers
        cookies = {answer: visits.form(answer) for answer in landed}
        # One connection keeps the order, so that each form meets the cookie it was made for.
        shown = asyncio.run(browsers.browse(side.port, 1, iter(cookies.values()), visits.FORM_SHOWN))
        forms = map(visits.registration, landed, shown.answers)
        sent = ask(forms, visits.REGISTERED)
        return Tally(shown.seconds + sent.seconds, sent.answers, shown.errors + sent.errors)

    return load


def health_while_waiting(side: Side, buyers: int, seconds: float) -> tuple[Tally, Tally]:
    """Return how /healthz was answered while so many buyers waited for AWS, and how the buyers were."""

    async def both() -> tuple[Tally, Tally]:
        requests = browsers.until(seconds, visits.landings())
        landing = asyncio.create_task(browsers.browse(side.port, buyers, requests, visits.LANDED, spread=1))
        # Everybody is waiting before the first question.
        await asyncio.sleep(1.2)
        health = await browsers.ask_after_health(side.port, seconds - 1.2, every=0.02)
        return health, await landing

    return asyncio.run(both())


def import_cpu_seconds(times: int) -> float:
    """Return the median CPU time of a Python that imports flask, boto3 and sqlalchemy."""
    command = [sys.executable, "-c", IMPORTS]
    runs = [subprocess.run(command, cwd=processes.ROOT, check=True, capture_output=True) for _ in range(times)]
    return statistics.median(float(run.stdout) for run in runs)
