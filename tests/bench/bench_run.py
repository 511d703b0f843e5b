"""One run of the bench: how much it measures, what it compares, and the servers and databases it has made so far."""

import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import filled_databases, servers
from tests.bench.filled_databases import StoredDatabase
from tests.bench.revisions import Revision


@dataclass(frozen=True)
class BenchSize:
    """How much is measured. `loads`: AWS's response time in seconds, and the number of concurrent buyers."""

    loads: tuple[tuple[float, int], ...] = ((0, 16), (0.15, 64))
    slow_aws_seconds: float = 2
    rounds: int = 6
    seconds: float = 1.5
    starts: int = 6
    registrations: int = 120
    events: int = 300
    few_subscriptions: int = 1_000
    many_subscriptions: int = 1_000_000
    health_seconds: float = 8


class BenchRun:
    """The run's folder, its fake AWS, and the wrong responses so far."""

    def __init__(self, stack: ExitStack, size: BenchSize, current: Revision, older: Revision | None) -> None:
        self.size, self.current, self.older = size, current, older
        self.path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foyer-bench-")))
        self.aws_pid, aws_port = stack.enter_context(servers.serve_fake_aws(self.path))
        self.servers = servers.ServerFolder(self.path, aws_port)
        self.errors: Counter[str] = Counter()
        self._databases: dict[str, StoredDatabase] = {}

    @property
    def revisions(self) -> list[Revision]:
        """The working tree, and the older revision if there is one."""
        return [self.current, *([self.older] if self.older else [])]

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
        few = [self.sqlite(revision, self.size.few_subscriptions) for revision in self.revisions]
        return [self.sqlite(self.current, self.size.many_subscriptions), *few]
