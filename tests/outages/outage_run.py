"""One run: gunicorn and a worker with hand-offs and mail, buyers who come steadily, and an outage meanwhile."""

from contextlib import ExitStack
from dataclasses import dataclass

from tests.endurance import killable_processes
from tests.endurance.kill_runs import RunEnvironment
from tests.endurance.killable_processes import Gunicorn
from tests.endurance.registration_report import compare_registrations
from tests.outages.outage_kinds import OUTAGES, Stage
from tests.outages.outage_report import OutageReport
from tests.outages.visits import VisitFlow
from tests.support import factories, handoff_receiver
from tests.support.postgresql_server import PostgresqlServer

# The first calls of a process take longer, and what an outage held up is seen after it.
SECONDS_BEFORE, SECONDS_AFTER = 1.0, 2.0


@dataclass(frozen=True)
class FinishedRun:
    """What a run leaves behind: its buyers, its database, and how many calls AWS received during the outage."""

    name: str
    run: RunEnvironment
    flow: VisitFlow
    aws_calls: int

    def build_report(self) -> OutageReport:
        """Compare the database with what the buyers were answered."""
        counts = compare_registrations(self.run.database_url, self.flow.log.purchases)
        return OutageReport(
            f"{self.name}, {self.run.database_kind}", self.flow.visits, self.flow.log, counts, self.aws_calls
        )


def run_outage(name: str, run: RunEnvironment, server: PostgresqlServer | None, seconds: float) -> FinishedRun:
    """Let buyers come, and the outage of that name last for so many seconds. All processes have ended afterwards."""
    with ExitStack() as stack:
        product = stack.enter_context(handoff_receiver.serve())
        environment = {
            **run.environment,
            **factories.handoff_environment(product.url),
            "MAIL_FROM": "start@acme.example",
            # Each buyer and each flooding address is told by a header.
            "TRUSTED_PROXIES": "1",
        }
        gunicorn = stack.enter_context(Gunicorn(environment, run.folder))
        stack.enter_context(killable_processes.worker(environment, run.folder))
        calls = run.sandbox.marketplace.call_counts
        with VisitFlow(gunicorn.port, run.sandbox) as flow:
            flow.run_for(SECONDS_BEFORE)
            calls_before = calls["ResolveCustomer"]
            with OUTAGES[name](Stage(run, gunicorn.port, server)):
                flow.run_for(seconds)
                aws_calls = calls["ResolveCustomer"] - calls_before
            flow.run_for(SECONDS_AFTER)
    return FinishedRun(name, run, flow, aws_calls)
