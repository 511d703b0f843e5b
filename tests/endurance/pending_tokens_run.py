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
from tests.endurance.buyer_load import BuyerLoad
from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.registration_report import RegistrationReport
from tests.support import app_processes as processes
from tests.support import factories

# So long that a worker is killed before it has linked them all.
AWS_DELAY_SECONDS = 0.25
TIMEOUT_SECONDS = 20
RESOLVED_LOG_EVENT = '"event": "token.resolved"'


def kill_worker_during_retries(stage: RunEnvironment, registered: int, kills: int) -> RegistrationReport:
    """Let buyers register while AWS is down; then kill a worker so often, each time while it links them."""
    stage.sandbox.marketplace.faults = Faults(aws_down=True)
    with stage.gunicorn() as gunicorn, BuyerLoad(gunicorn.port, stage.sandbox) as load:
        load.wait_for_acknowledged(registered)
    stage.sandbox.marketplace.faults = Faults(slow=AWS_DELAY_SECONDS)
    linked = [_retry_and_kill(stage) for _ in range(kills)]
    stage.sandbox.marketplace.faults = Faults()
    left = _retry_remaining(stage)
    assert left == 0, f"{left} tokens still wait"
    return stage.build_report("worker killed", load.submission_log, [0.0 for number in linked if number])


def _retry_and_kill(stage: RunEnvironment) -> int:
    """Run a worker, kill it while it links, and return how many it has linked."""
    environment = factories.environment(stage.database_url, stage.sandbox.aws_url)
    wanted = random.randint(1, 4)  # noqa: S311
    linked = 0
    with processes.run_worker(environment) as worker:
        assert worker.stderr
        too_late = threading.Timer(TIMEOUT_SECONDS, worker.kill)
        too_late.start()
        for line in worker.stderr:
            linked += RESOLVED_LOG_EVENT in line
            if linked == wanted:
                worker.kill()
        too_late.cancel()
    return linked


def _retry_remaining(stage: RunEnvironment) -> int:
    """Link what is left, once the leases of those that were killed are over; return how many tokens still wait."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in factories.environment(stage.database_url, stage.sandbox.aws_url).items():
            patch.setenv(name, value)
        with factories.open_app(create_app()) as app, app.app_context():
            with time_machine.travel(datetime.now(UTC) + 2 * retry_pending.LEASE):
                while retry_pending.resolve_next() is not None:
                    pass
            return int(gauges.current()["foyer_parked_tokens"])
