"""The run in which buyers register while AWS is down, and the worker that resolves their tokens later is killed."""

import random
import threading
from datetime import UTC, datetime

import time_machine

from app.services.reports import gauges
from app.services.signup import retry_pending
from sandbox.faults import Faults
from tests.endurance.buyer_load import BuyerLoad
from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.registration_report import RegistrationReport
from tests.support import app_processes, factories

# So slow that a worker is killed before it has resolved all tokens.
AWS_DELAY_SECONDS = 0.25
TIMEOUT_SECONDS = 20
RESOLVED_LOG_EVENT = '"event": "token.resolved"'


def kill_worker_during_retries(run: RunEnvironment, registered: int, kills: int) -> RegistrationReport:
    """Let buyers register while AWS is down; then kill `kills` workers while they resolve the pending tokens."""
    run.sandbox.marketplace.faults = Faults(aws_down=True)
    with run.gunicorn() as gunicorn, BuyerLoad(gunicorn.port, run.sandbox) as load:
        load.wait_for_acknowledged(registered)
    run.sandbox.marketplace.faults = Faults(slow=AWS_DELAY_SECONDS)
    resolved_counts = [_retry_and_kill(run) for _ in range(kills)]
    run.sandbox.marketplace.faults = Faults()
    pending = _retry_remaining(run)
    assert pending == 0, f"{pending} tokens are still pending"
    # A kill counts if the worker had resolved a token; buyers do not notice it, so that there is no recovery to time.
    return run.build_report("worker killed", load.submission_log, [0.0 for resolved in resolved_counts if resolved])


def _retry_and_kill(run: RunEnvironment) -> int:
    """Run a worker, kill it after it has resolved one to four tokens, and return how many it resolved."""
    kill_after = random.randint(1, 4)  # noqa: S311
    resolved = 0
    with app_processes.run_worker(run.environment) as worker:
        assert worker.stderr
        timeout = threading.Timer(TIMEOUT_SECONDS, worker.kill)
        timeout.start()
        for line in worker.stderr:
            resolved += RESOLVED_LOG_EVENT in line
            if resolved == kill_after:
                worker.kill()
        timeout.cancel()
    return resolved


def _retry_remaining(run: RunEnvironment) -> int:
    """Resolve the remaining tokens when the leases of killed workers have expired; return how many are pending."""
    with factories.open_app_in(run.environment) as app, app.app_context():
        with time_machine.travel(datetime.now(UTC) + 2 * retry_pending.LEASE):
            while retry_pending.resolve_next() is not None:
                pass
        return int(gauges.current()["foyer_parked_tokens"])
