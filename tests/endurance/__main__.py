"""`make endure`: the long form of the endurance tests, and the table of what was lost."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from app.config.products import Product
from sandbox.server import Sandbox
from tests import factories
from tests.conftest import migrate
from tests.endurance import drain, events, handoffs, parked, runs
from tests.endurance.count import Report
from tests.endurance.handoffs import HandedOff
from tests.endurance.postgresql import DEADLOCK, SERIALIZATION_FAILURE, PostgreSQL
from tests.endurance.runs import Length, Stage
from tests.endurance.told import Told

# The shares of the whole time that the runs take.
KILLS, DRAINS, PROCESSES = 0.22, 0.07, 0.05
WORKERS_KILLED = 20
# Each has about six events.
PURCHASES = 1600
# Each has four hand-offs.
HANDED_OFF = 250


class Endurance:
    """One long form: its folder, its AWS, and its PostgreSQL."""

    def __init__(self, stack: ExitStack, minutes: float) -> None:
        self._seconds = minutes * 60
        self._folder = Path(stack.enter_context(TemporaryDirectory(prefix="foyer-endurance-")))
        products = [Product(code=code, **factories.PRODUCT) for code in factories.CODES]
        self._sandbox = stack.enter_context(Sandbox(products))
        self.server = stack.enter_context(PostgreSQL(self._folder / "postgresql"))

    def reports(self) -> Iterator[Report | Told | HandedOff]:
        """Yield the report of each run."""
        for place in (self._on_sqlite, self._on_postgresql):
            yield runs.gunicorn_killed(place("killed"), self._length(KILLS))
            yield drain.under_load(place("stopped"), self._length(DRAINS))
            yield drain.under_way(place("drained"))
            yield parked.worker_killed(place("parked"), registered=150, kills=WORKERS_KILLED)
            yield events.workers_killed(place("told"), PURCHASES, kills=WORKERS_KILLED)
            yield handoffs.workers_killed(place("handed_off"), HANDED_OFF, kills=WORKERS_KILLED)
        yield runs.postgresql_killed(self._on_postgresql("server_killed"), self.server, self._length(KILLS))
        yield events.workers_killed(self._on_postgresql("told_to_four"), PURCHASES, kills=WORKERS_KILLED, workers=4)
        for workers in (2, 4, 8):
            yield runs.side_by_side(self._on_postgresql(f"side_{workers}"), workers, self._length(PROCESSES))
        strict = self._on_postgresql("strict")
        self.server.make_strict(strict.database_url)
        yield runs.side_by_side(strict, 4, self._length(PROCESSES))

    def _length(self, share: float) -> Length:
        return Length(rounds=2, seconds=self._seconds * share)

    def _on_sqlite(self, name: str) -> Stage:
        return self._migrated(name, f"sqlite:///{self._folder / name}.db")

    def _on_postgresql(self, name: str) -> Stage:
        return self._migrated(name, self.server.database(name))

    def _migrated(self, name: str, url: str) -> Stage:
        folder = self._folder / f"{name}-{url.partition(':')[0]}"
        folder.mkdir()
        migrate(url)
        return Stage(url, self._sandbox, folder)


def run(minutes: float) -> bool:
    """Print each report as it comes, and return whether nothing was lost, doubled or answered wrongly."""
    sound = True
    with ExitStack() as stack:
        endurance = Endurance(stack, minutes)
        for report in endurance.reports():
            sound &= report.nothing_lost(at_least=1)
            print(report, flush=True)
        deadlocks, failures = map(endurance.server.logged, (DEADLOCK, SERIALIZATION_FAILURE))
        print(f"deadlocks {deadlocks}  serialization failures {failures}")
    return sound and deadlocks == 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long it takes at the least")
    sys.exit(0 if run(parser.parse_args().minutes) else "SOMETHING WAS LOST, DOUBLED OR ANSWERED WRONGLY")
