"""Measures Foyer without hand-offs: registrations, landings beside a bare Flask view, /healthz while AWS is slow."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from tests.bench import buyer_requests, load_clients, registrations
from tests.bench.bench_run import BenchRun, start_each
from tests.bench.load_clients import ResponseTally
from tests.bench.report_table import FigureRow, compare, section_heading
from tests.bench.rounds import Figures
from tests.bench.servers import BASELINE_APP, STORING_APP, BenchServer
from tests.support import processes

WAITING_BUYERS = 64
MAX_RAMP_UP_SECONDS = 1
LANDED = buyer_requests.LANDING.expected


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield the rows of registrations without hand-off, of each load, and of /healthz."""
    with ExitStack() as stack:
        databases = [run.sqlite(revision, 0, name="landings") for revision in run.revisions]
        foyer, *older = start_each(stack, databases, run.servers.serve_foyer)
        yield from registrations.lines_without_handoffs(run, [foyer, *older])
        baseline, storing = (
            stack.enter_context(run.servers.serve_baseline(run.current, app)) for app in (BASELINE_APP, STORING_APP)
        )
        for aws_seconds, connections in run.size.loads:
            yield from _compare_with_baseline(run, [foyer, baseline, storing, *older], aws_seconds, connections)
        yield section_heading(
            f"AWS answers after {run.size.slow_aws_seconds:g} s, {WAITING_BUYERS} buyers wait", run.current.name, ""
        )
        yield from _measure_health(run, foyer)


def _compare_with_baseline(
    run: BenchRun, servers: list[BenchServer], aws_seconds: float, connections: int
) -> Iterator[FigureRow | str]:
    start, aws_cpu, browsers_cpu = time.perf_counter(), processes.cpu_seconds(run.aws_pid), time.process_time()
    land = partial(_land, run, aws_seconds, connections)
    measured, baseline, storing, *older = run.measure(servers, land)
    elapsed = time.perf_counter() - start
    yield section_heading(
        f"AWS answers after {aws_seconds * 1000:.0f} ms, {connections} buyers", run.current.name, "bare view"
    )
    yield compare("landings per second", "rate", measured, baseline, decimals=0, at_least=0.90 if aws_seconds else 0.78)
    yield compare("CPU per landing, ms", "cpu_ms", measured, baseline, at_most=1.35)
    for figure in ("p50", "p99"):
        added, other = (f"{side.median(figure):.1f}" for side in (measured, baseline))
        yield FigureRow(f"{figure} latency beyond AWS's, ms", added, other)
    yield compare("landings per second, bare view that stores", "rate", storing, baseline, decimals=0)
    yield compare("CPU per landing, bare view that stores, ms", "cpu_ms", storing, baseline)
    if run.older:
        yield compare(f"landings per second at {run.older.name}", "rate", older[0], baseline, decimals=0)
        yield compare(f"CPU per landing at {run.older.name}, ms", "cpu_ms", older[0], baseline)
    aws_cpu = processes.cpu_seconds(run.aws_pid) - aws_cpu
    browsers_cpu = time.process_time() - browsers_cpu
    yield f"(the fake AWS used {aws_cpu / elapsed:.0%} of a core, the browsers {browsers_cpu / elapsed:.0%})"


def _land(run: BenchRun, aws_seconds: float, connections: int, server: BenchServer) -> Figures:
    """Let buyers land again and again, each time with a new purchase."""
    requests = load_clients.requests_for_seconds(run.size.seconds, buyer_requests.landing_requests(aws_seconds))
    cpu, start = server.cpu_seconds(), time.perf_counter()
    tally = asyncio.run(load_clients.send_requests(server.port, connections, requests, LANDED))
    elapsed, cpu = time.perf_counter() - start, server.cpu_seconds() - cpu
    run.errors.update(tally.errors)
    landings = len(tally.latencies)
    quantiles = {"p50": tally.quantile(0.5), "p99": tally.quantile(0.99)}
    beyond_aws = {name: (seconds - aws_seconds) * 1000 for name, seconds in quantiles.items()}
    return {"rate": landings / elapsed, "cpu_ms": cpu / landings * 1000, **beyond_aws}


def _measure_health(run: BenchRun, server: BenchServer) -> Iterator[FigureRow]:
    health, buyers = asyncio.run(_poll_during_landings(run, server))
    run.errors.update(health.errors + buyers.errors)
    p50, p99 = (health.quantile(share) * 1000 for share in (0.5, 0.99))
    yield FigureRow(f"/healthz p50 of {len(health.latencies)}, ms", f"{p50:.1f}")
    yield FigureRow("/healthz p99, ms", f"{p99:.1f}", compared=p99, at_most=50)


async def _poll_during_landings(run: BenchRun, server: BenchServer) -> tuple[ResponseTally, ResponseTally]:
    seconds = run.size.health_seconds
    ramp_up_seconds = min(MAX_RAMP_UP_SECONDS, seconds)
    requests = load_clients.requests_for_seconds(
        ramp_up_seconds + seconds, buyer_requests.landing_requests(run.size.slow_aws_seconds)
    )
    landings = load_clients.send_requests(
        server.port, WAITING_BUYERS, requests, LANDED, ramp_up_seconds=ramp_up_seconds
    )
    task = asyncio.create_task(landings)
    await asyncio.sleep(ramp_up_seconds)
    health = await load_clients.poll_health(server.port, seconds, interval_seconds=0.01)
    return health, await task
