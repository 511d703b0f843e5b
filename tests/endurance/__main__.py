"""`make endure`: the endurance tests at full length. Prints one line per run: its counts, and what was lost."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from tests.endurance import (
    events_run,
    graceful_stop,
    handoffs_run,
    kill_runs,
    pending_tokens_run,
    usage_run,
    usage_sums_run,
)
from tests.endurance.environments import Environments
from tests.endurance.events_report import EventsReport
from tests.endurance.handoffs_run import HandoffReport
from tests.endurance.kill_runs import RunLength
from tests.endurance.registration_report import RegistrationReport
from tests.endurance.usage_run import UsageReport
from tests.support.postgresql_server import DEADLOCK, SERIALIZATION_FAILURE

# Each kind of run takes this share of the whole time.
KILL_SHARE, STOP_SHARE, PARALLEL_SHARE = 0.22, 0.07, 0.05
WORKER_KILLS = 20
# A purchase has about six events.
EVENT_PURCHASES = 1600
# A purchase has four hand-offs.
HANDOFF_PURCHASES = 250
# A hundred at each of three points.
USAGE_KILLS = 300
USAGE_ITEMS = 10_000


class Endurance:
    """All runs at full length, in one folder, with one sandbox and one PostgreSQL server."""

    def __init__(self, stack: ExitStack, minutes: float) -> None:
        self._seconds = minutes * 60
        self._environments = Environments(stack)
        self.server = self._environments.server

    def reports(self) -> Iterator[RegistrationReport | EventsReport | HandoffReport | UsageReport]:
        """Yield the report of each run."""
        for create_environment in (self._environments.on_sqlite, self._environments.on_postgresql):
            yield kill_runs.kill_gunicorn_under_load(create_environment("killed"), self._run_length(KILL_SHARE))
            yield graceful_stop.stop_under_load(create_environment("stopped"), self._run_length(STOP_SHARE))
            yield graceful_stop.stop_during_requests(create_environment("drained"))
            yield pending_tokens_run.kill_worker_during_retries(
                create_environment("pending"), registered=150, kills=WORKER_KILLS
            )
            yield events_run.kill_workers_during_events(
                create_environment("events"), EVENT_PURCHASES, kills=WORKER_KILLS
            )
            yield handoffs_run.kill_workers_during_handoffs(
                create_environment("handoffs"), HANDOFF_PURCHASES, kills=WORKER_KILLS
            )
            yield usage_run.kill_workers_during_usage(create_environment("usage"), kills=USAGE_KILLS)
            yield usage_sums_run.bill_repeated_items(create_environment("usage_sums"), items=USAGE_ITEMS)
        yield kill_runs.kill_postgresql_under_load(
            self._environments.on_postgresql("server_killed"), self.server, self._run_length(KILL_SHARE)
        )
        yield events_run.kill_workers_during_events(
            self._environments.on_postgresql("events_four_workers"), EVENT_PURCHASES, kills=WORKER_KILLS, workers=4
        )
        for workers in (2, 4, 8):
            yield kill_runs.run_parallel_workers(
                self._environments.on_postgresql(f"parallel_{workers}"), workers, self._run_length(PARALLEL_SHARE)
            )
        repeatable_read = self._environments.on_postgresql("repeatable_read")
        self.server.set_repeatable_read(repeatable_read.database_url)
        yield kill_runs.run_parallel_workers(repeatable_read, 4, self._run_length(PARALLEL_SHARE))

    def _run_length(self, share: float) -> RunLength:
        return RunLength(rounds=2, seconds=self._seconds * share)


def run_all(minutes: float) -> bool:
    """Print the report of each run; return whether nothing was lost, duplicated or answered wrongly."""
    is_lossless = True
    with ExitStack() as stack:
        endurance = Endurance(stack, minutes)
        for report in endurance.reports():
            is_lossless &= report.is_lossless(at_least=1)
            print(report, flush=True)
        deadlocks, failures = map(endurance.server.count_logged_errors, (DEADLOCK, SERIALIZATION_FAILURE))
        print(f"deadlocks {deadlocks}  serialization failures {failures}")
    return is_lossless and deadlocks == 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="minimum duration of all runs")
    sys.exit(0 if run_all(parser.parse_args().minutes) else "SOMETHING WAS LOST, DUPLICATED OR ANSWERED WRONGLY")
