"""What goes wrong in each run, for the time of a `with` block."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from tests.endurance.kill_runs import RunEnvironment
from tests.outages import crowds
from tests.support.database_proxy import SqliteProxy
from tests.support.postgresql_server import PostgresqlServer

# Longer than anybody waits; the end of the outage ends the waits.
HANGING_SECONDS = 60


@dataclass(frozen=True)
class Stage:
    """What an outage can act on; `server` is the run's PostgreSQL, None on SQLite."""

    run: RunEnvironment
    port: int
    server: PostgresqlServer | None


Outage = Callable[[Stage], AbstractContextManager[object]]


@contextmanager
def hanging_aws(stage: Stage, flooding_addresses: int = 0) -> Iterator[None]:
    """AWS answers nothing; some addresses flood meanwhile."""
    with ExitStack() as floods:
        stage.run.sandbox.marketplace.change_faults(slow=HANGING_SECONDS)
        floods.callback(stage.run.sandbox.marketplace.change_faults, slow=0)
        for number in range(flooding_addresses):
            floods.enter_context(crowds.flood(stage.port, f"203.0.113.{number + 1}"))
        yield


@contextmanager
def hanging_database(stage: Stage) -> Iterator[None]:
    """PostgreSQL's processes are all stopped; another program has locked SQLite."""
    if stage.server:
        with stage.server.stopped():
            yield
        return
    sqlite = SqliteProxy(stage.run.database_url)
    sqlite.hang()
    try:
        yield
    finally:
        sqlite.resume()


@contextmanager
def stopped_database(stage: Stage) -> Iterator[None]:
    """PostgreSQL has crashed, and is started again at the end."""
    assert stage.server
    stage.server.stop_immediately()
    try:
        yield
    finally:
        stage.server.start()


@contextmanager
def hanging_aws_and_database(stage: Stage) -> Iterator[None]:
    with hanging_aws(stage), hanging_database(stage):
        yield


OUTAGES: dict[str, Outage] = {
    "no outage": lambda _stage: nullcontext(),
    "AWS hangs": hanging_aws,
    "AWS hangs, one address floods": lambda stage: hanging_aws(stage, 1),
    "AWS hangs, three addresses flood": lambda stage: hanging_aws(stage, 3),
    "database hangs": hanging_database,
    "database down": stopped_database,
    "AWS and database hang": hanging_aws_and_database,
    "300 slow heads": lambda stage: crowds.slow_heads(stage.port),
    "300 slow bodies": lambda stage: crowds.slow_bodies(stage.port),
    "2100 idle connections": lambda stage: crowds.idle_connections(stage.port),
}
# A file that is gone is still there for the processes that have it open.
NOT_ON_SQLITE = {"database down"}
