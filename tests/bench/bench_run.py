"""One run of the bench: how much it measures, what it compares, and the servers and databases it has made so far."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.bench import filled_databases, servers
from tests.bench.filled_databases import StoredDatabase
from tests.bench.revisions import Revision
from tests.bench.rounds import Figures, Rounds, measure_in_turn

Side = TypeVar("Side", bound=Hashable)


@dataclass(frozen=True)
class BenchSize:
    """How much is measured. `loads`: AWS's response time in seconds, and the number of concurrent buyers."""

    loads: tuple[tuple[float, int], ...] = ((0, 16), (0.15, 64))
    slow_aws_seconds: float = 2
    rounds: int = 6
    warm_ups: int = 1
    seconds: float = 1.5
    starts: int = 4
    registrations: int = 120
    quota_rounds: int = 2
    events: int = 200
    few_subscriptions: int = 1_000
    many_subscriptions: int = 1_000_000
    health_seconds: float = 8
    usage_items: int = 100_000
    memory_items: int = 10_000
    few_usage_items: int = 1_000
    many_usage_items: int = 1_000_000


class BenchRun:
    """The run's folder, its fake AWS, and the wrong responses so far."""

    def __init__(
        self, stack: ExitStack, path: Path, size: BenchSize, current: Revision, older: Revision | None = None
    ) -> None:
        self.path, self.size, self.current, self.older = path, size, current, older
        self.aws_pid, aws_port = stack.enter_context(servers.serve_fake_aws(self.path))
        self.servers = servers.ServerFolder(self.path, aws_port)
        self.errors: Counter[str] = Counter()
        self._databases: dict[str, StoredDatabase] = {}

    @property
    def revisions(self) -> list[Revision]:
        """The working tree, and the older revision if there is one."""
        return [self.current, *([self.older] if self.older else [])]

    @property
    def names(self) -> tuple[str, str]:
        """The headings of the columns that compare the revisions."""
        return self.current.name, self.older.name if self.older else ""

    @property
    def sizes(self) -> tuple[str, str]:
        """The headings of the columns that compare many subscriptions with few."""
        return f"{self.size.many_subscriptions:,}", f"{self.size.few_subscriptions:,}"

    def sqlite(self, revision: Revision, subscriptions: int, name: str = "stored") -> StoredDatabase:
        """Return the revision's database of this name and size; the first call creates it."""
        file_name = f"{name}-{subscriptions}-{revision.name}.db"
        if file_name not in self._databases:
            self._databases[file_name] = filled_databases.create_sqlite(
                revision, self.path / file_name, subscriptions, self.servers.environment
            )
        return self._databases[file_name]

    def compared_sqlite(self) -> list[StoredDatabase]:
        """Return what is compared: many and few subscriptions of the working tree, and few of the older revision."""
        return [self.sqlite(self.current, self.size.many_subscriptions), *self.compared_few()]

    def compared_few(self) -> list[StoredDatabase]:
        """Return each revision's database of few subscriptions."""
        return [self.sqlite(revision, self.size.few_subscriptions) for revision in self.revisions]

    def measure(
        self, sides: Sequence[Side], measure: Callable[[Side], Figures], rounds: int | None = None
    ) -> list[Rounds]:
        """Return the rounds of each side, as many as the run's size has."""
        return measure_in_turn(sides, measure, rounds or self.size.rounds, self.size.warm_ups)


def start_each(
    stack: ExitStack,
    databases: Sequence[StoredDatabase],
    start: Callable[[StoredDatabase], AbstractContextManager[Side]],
) -> list[Side]:
    """Return what `start` runs on each database, until the stack closes; one where two databases are the same."""
    started = {database: stack.enter_context(start(database)) for database in dict.fromkeys(databases)}
    return [started[database] for database in databases]
