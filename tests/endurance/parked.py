"""The run in which AWS is down while buyers come, and the worker that links them afterwards is killed."""

import random
import threading
from datetime import UTC, datetime

import pytest
import time_machine

from app import create_app
from app.services.reports import gauges
from app.services.signup import retry_pending
from sandbox.faults import Faults
from tests import factories
from tests.e2e import stage as processes
from tests.endurance.count import Report
from tests.endurance.load import Load
from tests.endurance.runs import Stage

# So long that a worker is killed before it has linked them all.
AWS_TAKES_SECONDS = 0.25
PATIENCE_SECONDS = 20
RESOLVED = '"event": "token.resolved"'


def worker_killed(stage: Stage, registered: int, kills: int) -> Report:
    """Let buyers register while AWS is down; then kill a worker so often, each time while it links them."""
    stage.sandbox.world.faults = Faults(aws_down=True)
    with stage.gunicorn() as gunicorn, Load(gunicorn.port, stage.sandbox) as load:
        load.await_acknowledged(registered)
    stage.sandbox.world.faults = Faults(slow=AWS_TAKES_SECONDS)
    linked = [_link_and_kill(stage) for _ in range(kills)]
    stage.sandbox.world.faults = Faults()
    left = _link_the_rest(stage)
    assert left == 0, f"{left} tokens still wait"
    return stage.report("worker killed", load.ledger, [0.0 for number in linked if number])


def _link_and_kill(stage: Stage) -> int:
    """Run a worker, kill it while it links, and return how many it has linked."""
    environment = factories.environment(stage.database_url, stage.sandbox.aws_url)
    wanted = random.randint(1, 4)  # noqa: S311
    linked = 0
    with processes.working(environment) as worker:
        assert worker.stderr
        too_late = threading.Timer(PATIENCE_SECONDS, worker.kill)
        too_late.start()
        for line in worker.stderr:
            linked += RESOLVED in line
            if linked == wanted:
                worker.kill()
        too_late.cancel()
    return linked


def _link_the_rest(stage: Stage) -> int:
    """Link what is left, once the leases of those that were killed are over; return how many tokens still wait."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in factories.environment(stage.database_url, stage.sandbox.aws_url).items():
            patch.setenv(name, value)
        with factories.running(create_app()) as app, app.app_context():
            with time_machine.travel(datetime.now(UTC) + 2 * retry_pending.LEASE):
                while retry_pending.link_next() is not None:
                    pass
            return int(gauges.current()["foyer_parked_tokens"])
