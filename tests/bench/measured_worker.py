"""Runs one worker process, gives it work, and measures it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, TextClause, create_engine, text

from tests.bench.bench_run import BenchRun
from tests.bench.filled_databases import StoredDatabase
from tests.bench.revisions import FLASK_COMMAND
from tests.support import factories, processes
from tests.support.app_processes import WITHOUT_DOTENV

WORKER_COMMAND = [*FLASK_COMMAND, "worker"]
COUNT_UNREVIEWED = text("SELECT count(*) FROM subscriptions WHERE review_at IS NOT NULL")
WORK_TIMEOUT_SECONDS = 180


@dataclass(frozen=True)
class MeasuredWorker:
    """A running worker: the ids of its process and of its PostgreSQL server, and its database."""

    pids: tuple[int, ...]
    database: Engine

    def cpu_seconds(self) -> float:
        """Return the CPU time of the worker and its PostgreSQL server so far."""
        return sum(map(processes.cpu_seconds, self.pids))

    def wait_for_reviews(self) -> None:
        """Wait until no subscription needs a review."""
        self.wait_until_none(COUNT_UNREVIEWED)

    def wait_until_none(self, count: TextClause) -> None:
        """Wait until the query counts nothing."""
        deadline = time.monotonic() + WORK_TIMEOUT_SECONDS
        while rows := self.count(count):
            assert time.monotonic() < deadline, f"{rows} rows are left: {count}"
            time.sleep(0.05)

    def count(self, query: TextClause) -> int:
        """Return what the query counts."""
        with self.database.connect() as connection:
            return int(connection.execute(query).scalar_one())


@contextmanager
def run_worker(run: BenchRun, database: StoredDatabase, settings: dict[str, str]) -> Iterator[MeasuredWorker]:
    """Run a worker of the database's revision with these settings."""
    variables = {**run.servers.environment, **WITHOUT_DOTENV, "DATABASE_URL": database.url, **settings}
    engine = create_engine(factories.sqlalchemy_url(database.url))
    revision = database.revision
    with processes.run_python(
        WORKER_COMMAND, variables, run.path / "worker.log", python=revision.python, folder=revision.root
    ) as process:
        pids = (process.pid, *([database.postgresql_pid] if database.postgresql_pid else []))
        yield MeasuredWorker(pids, engine)
    engine.dispose()
