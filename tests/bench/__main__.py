"""`make bench`: the landing beside a bare view, in one run. Linux only: it reads /proc."""

import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import measures, sides, stored
from tests.bench.measures import Rounds
from tests.bench.table import Row, heading

AT_ONCE = 0.0


@dataclass(frozen=True)
class Size:
    """How much is measured: under which loads, each AWS's wait in seconds and a number of buyers, and how long."""

    loads: tuple[tuple[float, int], ...] = ((AT_ONCE, 16), (0.15, 64))
    slow: float = 2
    rounds: int = 7
    seconds: float = 2
    starts: int = 5
    signups: int = 200
    few: int = 1_000
    many: int = 1_000_000


class Bench:
    """One run: its folder, its fake AWS, and whatever was wrong with any answer."""

    def __init__(self, stack: ExitStack, size: Size) -> None:
        self._stack, self._size = stack, size
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foyer-bench-")))
        waits = [AT_ONCE, size.slow, *(wait for wait, _ in size.loads)]
        _, ports = stack.enter_context(sides.fake_aws(self._folder, waits))
        self._aws = dict(zip(waits, ports, strict=True))
        self.errors: Counter[str] = Counter()

    def lines(self) -> Iterator[str]:
        """Yield the table, line by line as it is measured."""
        for wait, connections in self._size.loads:
            yield heading(f"AWS answers after {wait * 1000:.0f} ms, {connections} buyers", "Foyer", "bare view")
            yield from map(str, self._landing(wait, connections))
        yield heading(f"AWS answers after {self._size.slow:g} s, 64 buyers wait", "Foyer", "")
        yield from map(str, self._waiting())
        yield heading("Start-up", "Foyer", "imports")
        yield from map(str, self._start())
        yield heading(f"{self._size.few:,} and {self._size.many:,} subscriptions stored", "many", "few")
        yield from map(str, self._stored())
        yield f"\nwrong answers: {dict(self.errors) or 'none'}"

    def _landing(self, wait: float, connections: int) -> Iterator[Row]:
        with ExitStack() as serving:
            foyer = serving.enter_context(sides.foyer(self._folder, self._aws[wait], self._database("landing", 0)))
            bare = serving.enter_context(sides.bare(self._folder, self._aws[wait]))
            load = measures.landings(connections, self._size.seconds)
            ours, theirs = self._checked(measures.in_turn([foyer, bare], load, self._size.rounds))
            yield _rate("landings per second", ours, theirs, at_least=0.90)
            yield _cpu("CPU per landing, ms", ours, theirs, at_most=1.25)
            for share, name in ((0.5, "p50"), (0.99, "p99")):
                added, other = (side.quantile_ms(share) - wait * 1000 for side in (ours, theirs))
                yield Row(f"{name} added over AWS's wait, ms", f"{added:.1f}", f"{other:.1f}")
            yield _memory("memory per worker (RSS), MB", foyer, bare, "Rss", at_most=120)
            yield _memory("memory per worker (PSS), MB", foyer, bare, "Pss")

    def _waiting(self) -> Iterator[Row]:
        with sides.foyer(self._folder, self._aws[self._size.slow], self._database("waiting", 0)) as foyer:
            health, buyers = measures.health_while_waiting(foyer, 64, 2 + 2 * self._size.seconds)
        self.errors.update(health.errors + buyers.errors)
        p50, p99 = (health.quantile(share) * 1000 for share in (0.5, 0.99))
        yield Row(f"/healthz p50 of {len(health.seconds)}, ms", f"{p50:.1f}")
        yield Row("/healthz p99, ms", f"{p99:.1f}", judged=p99, at_most=50)

    def _start(self) -> Iterator[Row]:
        starts = []
        database = self._database("start", 0)
        for _ in range(self._size.starts):
            with sides.foyer(self._folder, self._aws[AT_ONCE], database) as foyer:
                starts.append((foyer.start_seconds, foyer.start_cpu_seconds))
        seconds, cpu = (statistics.median(figures) for figures in zip(*starts, strict=True))
        imports = measures.import_cpu_seconds(self._size.starts)
        yield Row("CPU until healthy, s", f"{cpu:.2f}", f"{imports:.2f}", cpu / imports, at_most=1.5)
        yield Row("time until healthy, s", f"{seconds:.2f}")

    def _stored(self) -> Iterator[Row]:
        with ExitStack() as serving:
            pair = [
                serving.enter_context(
                    sides.foyer(self._folder, self._aws[AT_ONCE], self._database(f"stored-{count}", count))
                )
                for count in (self._size.many, self._size.few)
            ]
            landing = measures.in_turn(pair, measures.landings(16, self._size.seconds), self._size.rounds)
            many, few = self._checked(landing)
            yield _cpu("CPU per landing, ms", many, few, at_most=1.1)
            signup = measures.in_turn(pair, measures.signups(self._size.signups, 16), self._size.rounds)
            many, few = self._checked(signup)
            yield _cpu("CPU per page of the sign-up, ms", many, few, at_most=1.1)

    def _checked(self, results: list[Rounds]) -> list[Rounds]:
        for result in results:
            self.errors.update(result.errors)
        return results

    def _database(self, name: str, subscriptions: int) -> Path:
        path = self._folder / f"{name}-{len(list(self._folder.iterdir()))}.db"
        return stored.database(path, subscriptions, sides.environment(self._folder, self._aws[AT_ONCE], path))


def _rate(name: str, ours: Rounds, theirs: Rounds, at_least: float) -> Row:
    return Row(name, f"{ours.rate():.0f}", f"{theirs.rate():.0f}", ours.rate() / theirs.rate(), at_least=at_least)


def _cpu(name: str, ours: Rounds, theirs: Rounds, at_most: float) -> Row:
    ratio = ours.cpu_ms() / theirs.cpu_ms()
    return Row(name, f"{ours.cpu_ms():.2f}", f"{theirs.cpu_ms():.2f}", ratio, at_most=at_most)


def _memory(name: str, ours: sides.Side, theirs: sides.Side, kind: str, at_most: float | None = None) -> Row:
    figure, other = (side.worker_mb(kind) for side in (ours, theirs))
    return Row(name, f"{figure:.0f}", f"{other:.0f}", figure if at_most else None, at_most=at_most)


def run(size: Size) -> None:
    """Measure, and print each line of the table as it comes."""
    with ExitStack() as stack:
        for line in Bench(stack, size).lines():
            print(line, flush=True)


if __name__ == "__main__":
    run(Size())
