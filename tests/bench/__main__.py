"""`make bench`: runs every measurement and prints the table, a line as soon as it is measured."""

import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import event_throughput, filled_databases, measurements, servers
from tests.bench.measurements import RoundResults
from tests.bench.report_table import FigureRow, section_heading
from tests.bench.servers import BenchServer
from tests.support import processes

WAITING_BUYERS = 64


@dataclass(frozen=True)
class BenchSize:
    """How much is measured. `loads`: AWS's response time in seconds, and the number of concurrent buyers."""

    loads: tuple[tuple[float, int], ...] = ((0, 16), (0.15, 64))
    slow_aws_seconds: float = 2
    rounds: int = 7
    seconds: float = 1.5
    starts: int = 5
    signups: int = 150
    events: int = 200
    few_subscriptions: int = 1_000
    many_subscriptions: int = 1_000_000
    health_seconds: float = 8


class Bench:
    """One run: its folder, its fake AWS, and the wrong responses so far."""

    def __init__(self, stack: ExitStack, size: BenchSize) -> None:
        self._size = size
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foyer-bench-")))
        self._aws_pid, self._aws_port = stack.enter_context(servers.serve_fake_aws(self._folder))
        self.errors: Counter[str] = Counter()

    def report_lines(self) -> Iterator[str]:
        """Yield the lines of the table, each as soon as it is measured."""
        yield f"Python {platform.python_version()}, {os.cpu_count()} cores"
        yield from self._compare_with_baseline()
        yield section_heading("Start-up", "Foyer", "imports")
        yield from map(str, self._measure_startup())
        yield from self._compare_database_sizes()
        yield f"\nwrong responses: {dict(self.errors) or 'none'}"

    def _compare_with_baseline(self) -> Iterator[str]:
        with ExitStack() as stack:
            foyer = stack.enter_context(self._serve_foyer("landing", 0))
            baseline = stack.enter_context(servers.serve_baseline(self._folder, self._aws_port))
            for aws_seconds, connections in self._size.loads:
                yield section_heading(
                    f"AWS answers after {aws_seconds * 1000:.0f} ms, {connections} buyers", "Foyer", "bare view"
                )
                yield from map(str, self._measure_landings(foyer, baseline, aws_seconds, connections))
            yield section_heading("Memory of a worker after these landings", "Foyer", "bare view")
            yield _memory_row("all mapped memory (RSS), MB", foyer, baseline, "Rss", at_most=120)
            yield _memory_row("private + share of shared memory (PSS), MB", foyer, baseline, "Pss")
            yield section_heading(
                f"AWS answers after {self._size.slow_aws_seconds:g} s, {WAITING_BUYERS} buyers wait", "Foyer", ""
            )
            yield from map(str, self._measure_health(foyer))

    def _compare_database_sizes(self) -> Iterator[str]:
        counts = (self._size.many_subscriptions, self._size.few_subscriptions)
        sizes = f"{self._size.few_subscriptions:,} and {self._size.many_subscriptions:,} subscriptions stored"
        with event_throughput.sqlite_databases(self._folder, self._aws_port, counts) as sqlite:
            yield section_heading(f"One worker on SQLite, {sizes}", "many", "few")
            yield from map(str, self._measure_events(sqlite))
        with event_throughput.postgresql_databases(self._folder, self._aws_port, counts) as postgresql:
            yield section_heading(f"One worker on PostgreSQL, {sizes}", "many", "few")
            yield from map(str, self._measure_events(postgresql))
        yield section_heading(sizes, "many", "few")
        yield from map(str, self._measure_pages([database.path for database in sqlite]))

    def _measure_landings(
        self, foyer: BenchServer, baseline: BenchServer, aws_seconds: float, connections: int
    ) -> Iterator[FigureRow | str]:
        start, aws_cpu, browsers_cpu = time.perf_counter(), processes.cpu_seconds(self._aws_pid), time.process_time()
        load = measurements.landing_load(connections, self._size.seconds, aws_seconds)
        measured, reference = self._measure([foyer, baseline], load, self._size.rounds)
        elapsed = time.perf_counter() - start
        yield _rate_row("landings per second", measured, reference, at_least=0.90)
        yield _cpu_row("CPU per landing, ms", measured, reference, at_most=1.25)
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            added, other = (f"{side.quantile_ms(share) - aws_seconds * 1000:.1f}" for side in (measured, reference))
            yield FigureRow(f"{name} latency beyond AWS's, ms", added, other)
        aws_cpu = processes.cpu_seconds(self._aws_pid) - aws_cpu
        browsers_cpu = time.process_time() - browsers_cpu
        yield f"(the fake AWS used {aws_cpu / elapsed:.0%} of a core, the browsers {browsers_cpu / elapsed:.0%})"

    def _measure_health(self, foyer: BenchServer) -> Iterator[FigureRow]:
        health, buyers = measurements.measure_health_during_landings(
            foyer, WAITING_BUYERS, self._size.health_seconds, self._size.slow_aws_seconds
        )
        self.errors.update(health.errors + buyers.errors)
        p50, p99 = (health.quantile(share) * 1000 for share in (0.5, 0.99))
        yield FigureRow(f"/healthz p50 of {len(health.latencies)}, ms", f"{p50:.1f}")
        yield FigureRow("/healthz p99, ms", f"{p99:.1f}", compared=p99, at_most=50)

    def _measure_startup(self) -> Iterator[FigureRow]:
        starts = []
        for number in range(self._size.starts):
            with self._serve_foyer(f"start-{number}", 0) as foyer:
                starts.append((foyer.start_seconds, foyer.start_cpu_seconds))
        seconds, cpu = (statistics.median(figures) for figures in zip(*starts, strict=True))
        imports = measurements.import_cpu_seconds(self._size.starts)
        yield FigureRow("CPU until healthy, s", f"{cpu:.2f}", f"{imports:.2f}", cpu / imports, at_most=1.5)
        yield FigureRow("time until healthy, s", f"{seconds:.2f}")

    def _measure_events(self, databases: list[event_throughput.StoredDatabase]) -> Iterator[FigureRow]:
        many, few = event_throughput.apply_events(databases, self._size.events, max(self._size.rounds - 2, 1))
        yield _rate_row("events per second", many, few)
        yield _cpu_row("CPU per event and its review, ms", many, few, at_most=1.1)

    def _measure_pages(self, paths: list[Path]) -> Iterator[FigureRow]:
        with ExitStack() as stack:
            sides = [stack.enter_context(servers.serve_foyer(self._folder, self._aws_port, path)) for path in paths]
            for name, load in (
                ("CPU per landing, ms", measurements.landing_load(16, self._size.seconds)),
                ("CPU per page of the sign-up, ms", measurements.signup_load(self._size.signups, 16)),
            ):
                many, few = self._measure(sides, load, max(self._size.rounds - 2, 1))
                yield _cpu_row(name, many, few, at_most=1.1)

    def _measure(
        self, sides: list[BenchServer], load: measurements.LoadFactory, rounds: int
    ) -> tuple[RoundResults, RoundResults]:
        first, second = measurements.measure_in_turn(sides, load, rounds)
        self.errors.update(first.errors + second.errors)
        return first, second

    def _serve_foyer(self, name: str, subscriptions: int) -> servers.ServerContext:
        path = self._folder / f"{name}.db"
        filled_databases.create_sqlite(path, subscriptions, servers.environment(self._folder, self._aws_port, path))
        return servers.serve_foyer(self._folder, self._aws_port, path)


def _rate_row(name: str, measured: RoundResults, reference: RoundResults, at_least: float | None = None) -> FigureRow:
    rate, reference_rate = (f"{statistics.median(side.rates):.0f}" for side in (measured, reference))
    ratio = measurements.median_ratio(measured.rates, reference.rates)
    return FigureRow(name, rate, reference_rate, ratio, at_least=at_least)


def _cpu_row(name: str, measured: RoundResults, reference: RoundResults, at_most: float) -> FigureRow:
    cpu_ms, reference_ms = (f"{statistics.median(side.cpu_per_request) * 1000:.2f}" for side in (measured, reference))
    ratio = measurements.median_ratio(measured.cpu_per_request, reference.cpu_per_request)
    return FigureRow(name, cpu_ms, reference_ms, ratio, at_most=at_most)


def _memory_row(
    name: str, measured: BenchServer, reference: BenchServer, kind: str, at_most: float | None = None
) -> str:
    mb, reference_mb = (side.worker_mb(kind) for side in (measured, reference))
    return str(FigureRow(name, f"{mb:.0f}", f"{reference_mb:.0f}", mb if at_most else None, at_most=at_most))


def run_bench(size: BenchSize) -> None:
    with ExitStack() as stack:
        for line in Bench(stack, size).report_lines():
            print(line, flush=True)


if __name__ == "__main__":
    run_bench(BenchSize())
