"""The measurements: each puts the servers under the same load in turn, round after round."""

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
# Prepares a load, which is not measured, and returns the function that runs it, which is.
LoadFactory = Callable[[BenchServer], Callable[[], ResponseTally]]


@dataclass
class RoundResults:
    """One server's requests per second and CPU seconds per request in each round, and each request's seconds."""

    rates: list[float] = field(default_factory=list)
    cpu_per_request: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, tally: ResponseTally, elapsed: float, cpu: float) -> None:
        self.rates.append(len(tally.latencies) / elapsed)
        self.cpu_per_request.append(cpu / len(tally.latencies))
        self.latencies.extend(tally.latencies)

    def quantile_ms(self, share: float) -> float:
        """Return the latency in milliseconds that this share of the requests did not exceed."""
        return ResponseTally(self.latencies).quantile(share) * 1000


def measure_in_turn(servers: list[BenchServer], load: LoadFactory, rounds: int) -> list[RoundResults]:
    """Return each server's results; a first round for warming up is left out."""
    results = [RoundResults() for _ in servers]
    for number in range(rounds + 1):
        for server, result in zip(servers, results, strict=True):
            run_load = load(server)
            cpu, start = server.cpu_seconds(), time.perf_counter()
            tally = run_load()
            elapsed, cpu = time.perf_counter() - start, server.cpu_seconds() - cpu
            result.errors.update(tally.errors)
            if number and tally.latencies:
                result.add(tally, elapsed, cpu)
    return results


def median_ratio(measured: list[float], reference: list[float]) -> float:
    """Return the median of the rounds' ratios. Both sides of a round saw the same load by other programs."""
    return statistics.median(a / b for a, b in zip(measured, reference, strict=True))


def landing_load(connections: int, seconds: float, aws_seconds: float = 0) -> LoadFactory:
    """Return the load of buyers who land again and again, each time with a new purchase."""

    def load(server: BenchServer) -> Callable[[], ResponseTally]:
        requests = load_clients.requests_for_seconds(seconds, buyer_requests.landing_requests(aws_seconds))
        return lambda: _send(server, connections, requests, buyer_requests.LANDING_EXPECTED)

    return load


def signup_load(buyers: int, connections: int) -> LoadFactory:
    """Return the load of buyers who have landed, request the form and send it: two requests each."""

    def load(server: BenchServer) -> Callable[[], ResponseTally]:
        requests = islice(buyer_requests.landing_requests(0), buyers)
        landings = _send(server, connections, requests, buyer_requests.LANDING_EXPECTED)
        form_requests = [buyer_requests.form_request(response) for _, response in landings.exchanges]

        def sign_up() -> ResponseTally:
            forms = _send(server, connections, iter(form_requests), buyer_requests.FORM_EXPECTED)
            signup_requests = (buyer_requests.signup_request(*exchange) for exchange in forms.exchanges)
            signups = _send(server, connections, signup_requests, buyer_requests.SIGNUP_EXPECTED)
            errors = landings.errors + forms.errors + signups.errors
            return ResponseTally(forms.latencies + signups.latencies, errors=errors)

        return sign_up

    return load


def measure_health_during_landings(
    server: BenchServer, buyers: int, seconds: float, aws_seconds: float
) -> tuple[ResponseTally, ResponseTally]:
    """Return the tally of /healthz while buyers wait for AWS, and the tally of their landings."""

    async def poll_during_landings() -> tuple[ResponseTally, ResponseTally]:
        requests = load_clients.requests_for_seconds(
            RAMP_UP_SECONDS + seconds, buyer_requests.landing_requests(aws_seconds)
        )
        landings = load_clients.send_requests(
            server.port, buyers, requests, buyer_requests.LANDING_EXPECTED, ramp_up_seconds=RAMP_UP_SECONDS
        )
        task = asyncio.create_task(landings)
        await asyncio.sleep(RAMP_UP_SECONDS)
        health = await load_clients.poll_health(server.port, seconds, interval_seconds=0.01)
        return health, await task

    return asyncio.run(poll_during_landings())


def import_cpu_seconds(times: int) -> float:
    """Return the median CPU time in which a new Python imports flask, boto3 and sqlalchemy."""
    command = [sys.executable, "-c", IMPORT_COMMAND]
    runs = [subprocess.run(command, cwd=processes.ROOT, check=True, capture_output=True) for _ in range(times)]
    return statistics.median(float(run.stdout) for run in runs)


def _send(
    server: BenchServer, connections: int, requests: Iterator[bytes], expected: tuple[bytes, ...]
) -> ResponseTally:
    return asyncio.run(load_clients.send_requests(server.port, connections, requests, expected))
