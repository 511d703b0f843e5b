"""Measures pages at a quarter of a CPU: one process, held back as a container is, and by the program `cpulimit`."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

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
# The kernel's groups of processes, of version 1: https://docs.kernel.org/scheduler/sched-bwc.html
CPU_GROUPS = Path("/sys/fs/cgroup/cpu")
PERIOD_MICROSECONDS = 100_000

Limit = Callable[[BenchServer], AbstractContextManager[None]]


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield the rows of each way to hold a process back, or why there are none."""
    if os.access(CPU_GROUPS, os.W_OK):
        yield from _measure(run, "by the kernel, as a container", _in_group)
    else:
        yield f"\n(latencies at a quarter of a CPU by the kernel are not measured: {CPU_GROUPS} cannot be written)"
    if shutil.which("cpulimit"):
        yield from _measure(run, "by cpulimit", _under_cpulimit)
    else:
        yield "\n(latencies under cpulimit are not measured: install it, as with `apt install cpulimit`)"


def _measure(run: BenchRun, way: str, limit: Limit) -> Iterator[FigureRow | str]:
    with ExitStack() as stack:
        serve = partial(run.servers.serve_foyer, settings=HANDOFFS_AND_MAIL, options=ONE_PROCESS)
        servers = start_each(stack, run.compared_few(), serve)
        for server in dict.fromkeys(servers):
            stack.enter_context(limit(server))
        results = run.measure(servers, partial(_measure_latencies, run), run.size.quota_rounds)
    yield from _rows(run, way, results)


def _rows(run: BenchRun, way: str, results: list[Rounds]) -> Iterator[FigureRow | str]:
    yield section_heading(f"{QUOTA_PERCENT / 100} CPU {way}, {CONNECTIONS} buyers", *run.names)
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
def _in_group(server: BenchServer) -> Iterator[None]:
    """Hold the server back as container engines do: the kernel stops it for the rest of each tenth of a second."""
    group = CPU_GROUPS / f"foyer-bench-{server.pid}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
        (group / "cpu.cfs_quota_us").write_text(str(PERIOD_MICROSECONDS * QUOTA_PERCENT // 100))
        _move([server.pid, *server.worker_pids], group)
        yield
    finally:
        _move(map(int, (group / "cgroup.procs").read_text().split()), CPU_GROUPS)
        group.rmdir()


def _move(pids: Iterable[int], group: Path) -> None:
    for pid in pids:
        (group / "cgroup.procs").write_text(str(pid))


@contextmanager
def _under_cpulimit(server: BenchServer) -> Iterator[None]:
    """Let cpulimit stop and continue the server. gunicorn's own process only waits: the quota is its one worker's."""
    (worker,) = server.worker_pids
    command = ["cpulimit", "-z", "-p", str(worker), "-l", str(QUOTA_PERCENT)]
    limiter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        # It lets the worker go on when it ends.
        limiter.terminate()
        limiter.wait()
