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

from tests.bench import events, measures, processes, sides, stored
from tests.bench.measures import Rounds
from tests.bench.sides import Side
from tests.bench.table import Row, heading

WAITING_BUYERS = 64


@dataclass(frozen=True)
class Size:
    """How much is measured: under which loads, each AWS's wait in seconds and a number of buyers, and how long."""

    loads: tuple[tuple[float, int], ...] = ((0, 16), (0.15, 64))
    slow: float = 2
    rounds: int = 7
    seconds: float = 1.5
    starts: int = 5
    signups: int = 150
    events: int = 200
    few: int = 1_000
    many: int = 1_000_000
    health_seconds: float = 8


class Bench:
    """One run: its folder, its fake AWS, and whatever was wrong with any answer."""

    def __init__(self, stack: ExitStack, size: Size) -> None:
        self._size = size
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foyer-bench-")))
        self._aws_pid, self._aws_port = stack.enter_context(sides.fake_aws(self._folder))
        self.errors: Counter[str] = Counter()

    def lines(self) -> Iterator[str]:
        """Yield the table, line by line as it is measured."""
        yield f"Python {platform.python_version()}, {os.cpu_count()} cores"
        with ExitStack() as serving:
            foyer = serving.enter_context(self._foyer("landing", 0))
            bare = serving.enter_context(sides.bare(self._folder, self._aws_port))
            for wait, connections in self._size.loads:
                yield heading(f"AWS answers after {wait * 1000:.0f} ms, {connections} buyers", "Foyer", "bare view")
                yield from map(str, self._landing(foyer, bare, wait, connections))
            yield heading("Memory of a worker after that", "Foyer", "bare view")
            yield _memory("all it has mapped (RSS), MB", foyer, bare, "Rss", at_most=120)
            yield _memory("its share of that (PSS), MB", foyer, bare, "Pss")
            yield heading(f"AWS answers after {self._size.slow:g} s, {WAITING_BUYERS} buyers wait", "Foyer", "")
            yield from map(str, self._waiting(foyer))
        yield heading("Start-up", "Foyer", "imports")
        yield from map(str, self._start())
        counts = (self._size.many, self._size.few)
        sizes = f"{self._size.few:,} and {self._size.many:,} subscriptions stored"
        with events.on_sqlite(self._folder, self._aws_port, counts) as places:
            yield heading(f"One worker on SQLite, {sizes}", "many", "few")
            yield from map(str, self._events(places))
        with events.on_postgresql(self._folder, self._aws_port, counts) as places_there:
            yield heading(f"One worker on PostgreSQL, {sizes}", "many", "few")
            yield from map(str, self._events(places_there))
        yield heading(sizes, "many", "few")
        yield from map(str, self._stored([place.database for place in places]))
        yield f"\nwrong answers: {dict(self.errors) or 'none'}"

    def _landing(self, foyer: Side, bare: Side, wait: float, connections: int) -> Iterator[Row | str]:
        start, aws, browsers = time.perf_counter(), processes.cpu_seconds(self._aws_pid), time.process_time()
        load = measures.landings(connections, self._size.seconds, wait)
        ours, theirs = self._checked(measures.in_turn([foyer, bare], load, self._size.rounds))
        elapsed = time.perf_counter() - start
        yield _rate("landings per second", ours, theirs, at_least=0.90)
        yield _cpu("CPU per landing, ms", ours, theirs, at_most=1.25)
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            added, other = (side.quantile_ms(share) - wait * 1000 for side in (ours, theirs))
            yield Row(f"{name} added over AWS's wait, ms", f"{added:.1f}", f"{other:.1f}")
        aws, browsers = processes.cpu_seconds(self._aws_pid) - aws, time.process_time() - browsers
        yield f"(the fake AWS took {aws / elapsed:.0%} of a core, the browsers {browsers / elapsed:.0%})"

    def _waiting(self, foyer: Side) -> Iterator[Row]:
        health, buyers = measures.health_while_waiting(
            foyer, WAITING_BUYERS, self._size.health_seconds, self._size.slow
        )
        self.errors.update(health.errors + buyers.errors)
        p50, p99 = (health.quantile(share) * 1000 for share in (0.5, 0.99))
        yield Row(f"/healthz p50 of {len(health.seconds)}, ms", f"{p50:.1f}")
        yield Row("/healthz p99, ms", f"{p99:.1f}", judged=p99, at_most=50)

    def _start(self) -> Iterator[Row]:
        starts = []
        for number in range(self._size.starts):
            with self._foyer(f"start-{number}", 0) as foyer:
                starts.append((foyer.start_seconds, foyer.start_cpu_seconds))
        seconds, cpu = (statistics.median(figures) for figures in zip(*starts, strict=True))
        imports = measures.import_cpu_seconds(self._size.starts)
        yield Row("CPU until healthy, s", f"{cpu:.2f}", f"{imports:.2f}", cpu / imports, at_most=1.5)
        yield Row("time until healthy, s", f"{seconds:.2f}")

    def _events(self, places: list[events.Place]) -> Iterator[Row]:
        many, few = events.applied(places, self._size.events, max(self._size.rounds - 2, 1))
        yield _rate("events per second", many, few)
        yield _cpu("CPU per event and its review, ms", many, few, at_most=1.1)

    def _stored(self, paths: list[Path]) -> Iterator[Row]:
        with ExitStack() as serving:
            pair = [serving.enter_context(sides.foyer(self._folder, self._aws_port, path)) for path in paths]
            rounds = max(self._size.rounds - 2, 1)
            landing = measures.landings(16, self._size.seconds)
            many, few = self._checked(measures.in_turn(pair, landing, rounds))
            yield _cpu("CPU per landing, ms", many, few, at_most=1.1)
            signup = measures.signups(self._size.signups, 16)
            many, few = self._checked(measures.in_turn(pair, signup, rounds))
            yield _cpu("CPU per page of the sign-up, ms", many, few, at_most=1.1)

    def _checked(self, results: list[Rounds]) -> list[Rounds]:
        for result in results:
            self.errors.update(result.errors)
        return results

    def _foyer(self, name: str, subscriptions: int) -> sides.Serving:
        path = self._folder / f"{name}.db"
        stored.database(path, subscriptions, sides.environment(self._folder, self._aws_port, path))
        return sides.foyer(self._folder, self._aws_port, path)


def _rate(name: str, ours: Rounds, theirs: Rounds, at_least: float | None = None) -> Row:
    figure, other = (f"{statistics.median(side.rates):.0f}" for side in (ours, theirs))
    return Row(name, figure, other, measures.ratio(ours.rates, theirs.rates), at_least=at_least)


def _cpu(name: str, ours: Rounds, theirs: Rounds, at_most: float) -> Row:
    figure, other = (f"{statistics.median(side.cpu) * 1000:.2f}" for side in (ours, theirs))
    return Row(name, figure, other, measures.ratio(ours.cpu, theirs.cpu), at_most=at_most)


def _memory(name: str, ours: Side, theirs: Side, kind: str, at_most: float | None = None) -> str:
    figure, other = (side.worker_mb(kind) for side in (ours, theirs))
    return str(Row(name, f"{figure:.0f}", f"{other:.0f}", figure if at_most else None, at_most=at_most))


def run(size: Size) -> None:
    """Measure, and print each line of the table as it comes."""
    with ExitStack() as stack:
        for line in Bench(stack, size).lines():
            print(line, flush=True)


if __name__ == "__main__":
    run(Size())
