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

from tests.bench import buyer_requests, load_clients
from tests.bench.load_clients import ResponseTally
from tests.bench.servers import BenchServer
from tests.support import processes

IMPORT_COMMAND = "import time, flask, boto3, sqlalchemy; print(time.process_time())"
RAMP_UP_SECONDS = 1
# Makes ready what is not measured, and returns what is.
LoadFactory = Callable[[BenchServer], Callable[[], ResponseTally]]


@dataclass
class RoundResults:
    """What one side did, round by round: requests a second, CPU seconds a request; and each request's seconds."""

    rates: list[float] = field(default_factory=list)
    cpu_per_request: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, tally: ResponseTally, elapsed: float, cpu: float) -> None:
        """Add one round's requests."""
        self.rates.append(len(tally.latencies) / elapsed)
        self.cpu_per_request.append(cpu / len(tally.latencies))
        self.latencies.extend(tally.latencies)

    def quantile_ms(self, share: float) -> float:
        """Return the time within which this share of the requests was answered, in milliseconds."""
        return ResponseTally(self.latencies).quantile(share) * 1000


def measure_in_turn(servers: list[BenchServer], load: LoadFactory, rounds: int) -> list[RoundResults]:
    """Return what each side did, after a first round that does not count."""
    results = [RoundResults() for _ in servers]
    for number in range(rounds + 1):
        for side, result in zip(servers, results, strict=True):
            measured = load(side)
            cpu, start = side.cpu_seconds(), time.perf_counter()
            tally = measured()
            elapsed, cpu = time.perf_counter() - start, side.cpu_seconds() - cpu
            result.errors.update(tally.errors)
            if number and tally.latencies:
                result.add(tally, elapsed, cpu)
    return results


def median_ratio(measured: list[float], reference: list[float]) -> float:
    """Return the median of the rounds' ratios: rounds side by side had the same neighbours on the machine."""
    return statistics.median(a / b for a, b in zip(measured, reference, strict=True))


def landing_load(connections: int, seconds: float, wait: float = 0) -> LoadFactory:
    """Return the load of so many buyers who land again and again, each time with a new purchase."""

    def load(side: BenchServer) -> Callable[[], ResponseTally]:
        requests = load_clients.requests_for_seconds(seconds, buyer_requests.landing_requests(wait))
        return lambda: _send(side, connections, requests, buyer_requests.LANDING_EXPECTED)

    return load


def signup_load(buyers: int, connections: int) -> LoadFactory:
    """Return the load of so many buyers who have landed and now get the form and send it: two requests each."""

    def load(side: BenchServer) -> Callable[[], ResponseTally]:
        landed = _send(
            side, connections, islice(buyer_requests.landing_requests(0), buyers), buyer_requests.LANDING_EXPECTED
        )
        forms = [buyer_requests.form_request(answer) for _, answer in landed.exchanges]

        def sign_up() -> ResponseTally:
            shown = _send(side, connections, iter(forms), buyer_requests.FORM_EXPECTED)
            filled_in = (buyer_requests.signup_request(*exchange) for exchange in shown.exchanges)
            sent = _send(side, connections, filled_in, buyer_requests.SIGNUP_EXPECTED)
            return ResponseTally(shown.latencies + sent.latencies, errors=landed.errors + shown.errors + sent.errors)

        return sign_up

    return load


def measure_health_during_landings(
    side: BenchServer, buyers: int, seconds: float, wait: float
) -> tuple[ResponseTally, ResponseTally]:
    """Return how /healthz was answered while so many buyers waited for AWS, and how the buyers were."""

    async def both() -> tuple[ResponseTally, ResponseTally]:
        requests = load_clients.requests_for_seconds(RAMP_UP_SECONDS + seconds, buyer_requests.landing_requests(wait))
        landing = load_clients.send_requests(
            side.port, buyers, requests, buyer_requests.LANDING_EXPECTED, ramp_up_seconds=RAMP_UP_SECONDS
        )
        buying = asyncio.create_task(landing)
        await asyncio.sleep(RAMP_UP_SECONDS)
        health = await load_clients.poll_health(side.port, seconds, interval_seconds=0.01)
        return health, await buying

    return asyncio.run(both())


def import_cpu_seconds(times: int) -> float:
    """Return the median CPU time of a Python that imports flask, boto3 and sqlalchemy."""
    command = [sys.executable, "-c", IMPORT_COMMAND]
    runs = [subprocess.run(command, cwd=processes.ROOT, check=True, capture_output=True) for _ in range(times)]
    return statistics.median(float(run.stdout) for run in runs)


def _send(side: BenchServer, connections: int, requests: Iterator[bytes], expected: tuple[bytes, ...]) -> ResponseTally:
    return asyncio.run(load_clients.send_requests(side.port, connections, requests, expected))
