"""`make bench`: the landing beside a bare view, in one run. Linux only: it reads /proc."""

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
    """How much is measured: under which loads, each AWS's wait in seconds and a number of buyers, and how long."""

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
    """One run: its folder, its fake AWS, and whatever was wrong with any answer."""

    def __init__(self, stack: ExitStack, size: BenchSize) -> None:
        self._size = size
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foyer-bench-")))
        self._aws_pid, self._aws_port = stack.enter_context(servers.serve_fake_aws(self._folder))
        self.errors: Counter[str] = Counter()

    def report_lines(self) -> Iterator[str]:
        """Yield the table, line by line as it is measured."""
        yield f"Python {platform.python_version()}, {os.cpu_count()} cores"
        with ExitStack() as serving:
            foyer = serving.enter_context(self._serve_foyer("landing", 0))
            bare = serving.enter_context(servers.serve_baseline(self._folder, self._aws_port))
            for wait, connections in self._size.loads:
                yield section_heading(
                    f"AWS answers after {wait * 1000:.0f} ms, {connections} buyers", "Foyer", "bare view"
                )
                yield from map(str, self._measure_landings(foyer, bare, wait, connections))
            yield section_heading("Memory of a worker after that", "Foyer", "bare view")
            yield _memory_row("all it has mapped (RSS), MB", foyer, bare, "Rss", at_most=120)
            yield _memory_row("its share of that (PSS), MB", foyer, bare, "Pss")
            yield section_heading(
                f"AWS answers after {self._size.slow_aws_seconds:g} s, {WAITING_BUYERS} buyers wait", "Foyer", ""
            )
            yield from map(str, self._measure_health(foyer))
        yield section_heading("Start-up", "Foyer", "imports")
        yield from map(str, self._measure_startup())
        counts = (self._size.many_subscriptions, self._size.few_subscriptions)
        sizes = f"{self._size.few_subscriptions:,} and {self._size.many_subscriptions:,} subscriptions stored"
        with event_throughput.sqlite_databases(self._folder, self._aws_port, counts) as places:
            yield section_heading(f"One worker on SQLite, {sizes}", "many", "few")
            yield from map(str, self._measure_events(places))
        with event_throughput.postgresql_databases(self._folder, self._aws_port, counts) as places_there:
            yield section_heading(f"One worker on PostgreSQL, {sizes}", "many", "few")
            yield from map(str, self._measure_events(places_there))
        yield section_heading(sizes, "many", "few")
        yield from map(str, self._measure_stored([place.path for place in places]))
        yield f"\nwrong answers: {dict(self.errors) or 'none'}"

    def _measure_landings(
        self, foyer: BenchServer, bare: BenchServer, wait: float, connections: int
    ) -> Iterator[FigureRow | str]:
        start, aws, browsers = time.perf_counter(), processes.cpu_seconds(self._aws_pid), time.process_time()
        load = measurements.landing_load(connections, self._size.seconds, wait)
        ours, theirs = self._collect_errors(measurements.measure_in_turn([foyer, bare], load, self._size.rounds))
        elapsed = time.perf_counter() - start
        yield _rate_row("landings per second", ours, theirs, at_least=0.90)
        yield _cpu_row("CPU per landing, ms", ours, theirs, at_most=1.25)
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            added, other = (side.quantile_ms(share) - wait * 1000 for side in (ours, theirs))
            yield FigureRow(f"{name} added over AWS's wait, ms", f"{added:.1f}", f"{other:.1f}")
        aws, browsers = processes.cpu_seconds(self._aws_pid) - aws, time.process_time() - browsers
        yield f"(the fake AWS took {aws / elapsed:.0%} of a core, the browsers {browsers / elapsed:.0%})"

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

    def _measure_events(self, places: list[event_throughput.StoredDatabase]) -> Iterator[FigureRow]:
        many, few = event_throughput.apply_events(places, self._size.events, max(self._size.rounds - 2, 1))
        yield _rate_row("events per second", many, few)
        yield _cpu_row("CPU per event and its review, ms", many, few, at_most=1.1)

    def _measure_stored(self, paths: list[Path]) -> Iterator[FigureRow]:
        with ExitStack() as serving:
            pair = [serving.enter_context(servers.serve_foyer(self._folder, self._aws_port, path)) for path in paths]
            rounds = max(self._size.rounds - 2, 1)
            landing = measurements.landing_load(16, self._size.seconds)
            many, few = self._collect_errors(measurements.measure_in_turn(pair, landing, rounds))
            yield _cpu_row("CPU per landing, ms", many, few, at_most=1.1)
            signup = measurements.signup_load(self._size.signups, 16)
            many, few = self._collect_errors(measurements.measure_in_turn(pair, signup, rounds))
            yield _cpu_row("CPU per page of the sign-up, ms", many, few, at_most=1.1)

    def _collect_errors(self, results: list[RoundResults]) -> list[RoundResults]:
        for result in results:
            self.errors.update(result.errors)
        return results

    def _serve_foyer(self, name: str, subscriptions: int) -> servers.ServerContext:
        path = self._folder / f"{name}.db"
        filled_databases.create_sqlite(path, subscriptions, servers.environment(self._folder, self._aws_port, path))
        return servers.serve_foyer(self._folder, self._aws_port, path)


def _rate_row(name: str, ours: RoundResults, theirs: RoundResults, at_least: float | None = None) -> FigureRow:
    figure, other = (f"{statistics.median(side.rates):.0f}" for side in (ours, theirs))
    return FigureRow(name, figure, other, measurements.median_ratio(ours.rates, theirs.rates), at_least=at_least)


def _cpu_row(name: str, ours: RoundResults, theirs: RoundResults, at_most: float) -> FigureRow:
    figure, other = (f"{statistics.median(side.cpu_per_request) * 1000:.2f}" for side in (ours, theirs))
    return FigureRow(
        name, figure, other, measurements.median_ratio(ours.cpu_per_request, theirs.cpu_per_request), at_most=at_most
    )


def _memory_row(name: str, ours: BenchServer, theirs: BenchServer, kind: str, at_most: float | None = None) -> str:
    figure, other = (side.worker_mb(kind) for side in (ours, theirs))
    return str(FigureRow(name, f"{figure:.0f}", f"{other:.0f}", figure if at_most else None, at_most=at_most))


def run_bench(size: BenchSize) -> None:
    """Measure, and print each line of the table as it comes."""
    with ExitStack() as stack:
        for line in Bench(stack, size).report_lines():
            print(line, flush=True)


if __name__ == "__main__":
    run_bench(BenchSize())
