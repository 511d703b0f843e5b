"""Measures pages at a quarter of a CPU: one process, held back by the program `cpulimit`."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.bench.bench_run import BenchRun, start_each
from tests.bench.buyer_requests import PAGES
from tests.bench.load_clients import ResponseTally
from tests.bench.registrations import CONNECTIONS, register
from tests.bench.report_table import FigureRow, compare, section_heading
from tests.bench.rounds import Figures, Rounds
from tests.bench.servers import HANDOFFS_AND_MAIL, BenchServer

QUOTA_PERCENT = 25
AWS_SECONDS = 0.1
ANY_PAGE = "any page"
ONE_PROCESS = ("--workers", "1")


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield the rows, or why there are none."""
    if shutil.which("cpulimit") is None:
        yield "\n(latencies at a quarter of a CPU are not measured: install cpulimit, as with `apt install cpulimit`)"
        return
    with ExitStack() as stack:
        serve = partial(run.servers.serve_foyer, settings=HANDOFFS_AND_MAIL, options=ONE_PROCESS)
        servers = start_each(stack, run.compared_few(), serve)
        for server in dict.fromkeys(servers):
            stack.enter_context(_limited(server))
        results = run.measure(servers, partial(_measure_latencies, run), run.size.quota_rounds)
    yield from _rows(run, results)


def _rows(run: BenchRun, results: list[Rounds]) -> Iterator[FigureRow | str]:
    yield section_heading(f"{QUOTA_PERCENT / 100} CPU, one process, {CONNECTIONS} buyers", *run.names)
    yield from (compare(f"{page.name}, p99 beyond AWS's time, ms", page.name, *results, decimals=0) for page in PAGES)
    p99, *older = (side.median(ANY_PAGE) for side in results)
    yield FigureRow(
        f"{ANY_PAGE}, p99 beyond AWS's time, ms",
        f"{p99:.0f}",
        "".join(f"{value:.0f}" for value in older),
        compared=p99,
        at_most=300,
    )
    shares = " and ".join(f"{side.median('share'):.0%}" for side in results)
    yield f"(the servers used {shares} of a core)"


def _measure_latencies(run: BenchRun, server: BenchServer) -> Figures:
    """Return the p99 of each page and of all, in milliseconds, and which share of a core the server used."""
    cpu, start = server.cpu_seconds(), time.perf_counter()
    measured = register(server, run.size.registrations, AWS_SECONDS)
    share = (server.cpu_seconds() - cpu) / (time.perf_counter() - start)
    run.errors.update(measured.errors)
    tallies = measured.tallies
    # Only the landing calls AWS.
    landing = tallies["landing"]
    landing.latencies = [seconds - AWS_SECONDS for seconds in landing.latencies]
    tallies = {**tallies, ANY_PAGE: ResponseTally([s for tally in tallies.values() for s in tally.latencies])}
    return {"share": share, **{name: tally.quantile(0.99) * 1000 for name, tally in tallies.items()}}


@contextmanager
def _limited(server: BenchServer) -> Iterator[None]:
    """Hold the server back. gunicorn's own process only waits: the quota is its one worker's."""
    (worker,) = server.worker_pids
    command = ["cpulimit", "-z", "-p", str(worker), "-l", str(QUOTA_PERCENT)]
    limiter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        # It lets the worker go on when it ends.
        limiter.terminate()
        limiter.wait()
