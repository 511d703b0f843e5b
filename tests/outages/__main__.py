"""`make outages`: each outage on SQLite and PostgreSQL. Prints a line for each: how long buyers waited, what was lost.

Exits 1 if something acknowledged is lost, a visit has no answer, or one came too late.
"""

import argparse
import resource
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from tests.endurance.environments import Environments
from tests.outages.outage_kinds import NOT_ON_SQLITE, OUTAGES
from tests.outages.outage_report import GRACE_SECONDS, LONGEST_ANSWER_SECONDS, OutageReport
from tests.outages.outage_run import run_outage

OPEN_FILES = 4096


def reports(environments: Environments, seconds: float, only: str) -> Iterator[OutageReport]:
    """Yield the report of each outage whose name contains `only`."""
    for number, name in enumerate(name for name in OUTAGES if only in name):
        if name not in NOT_ON_SQLITE:
            yield run_outage(name, environments.on_sqlite(f"outage_{number}"), None, seconds).build_report()
        run = environments.on_postgresql(f"outage_{number}")
        yield run_outage(name, run, environments.server, seconds).build_report()


def run_all(seconds: float, only: str) -> bool:
    """Print each report; return whether all is well."""
    print(f"An answer may take {LONGEST_ANSWER_SECONDS:.0f} s, and {GRACE_SECONDS:.0f} s of grace for this machine.")
    is_well = True
    with ExitStack() as stack:
        for report in reports(Environments(stack), seconds, only):
            print(report, flush=True)
            is_well &= not report.faults()
    return is_well


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.outages", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="how long each outage lasts")
    parser.add_argument("--only", default="", help="a part of the names of the outages to run")
    arguments = parser.parse_args()
    # The crowds, and the processes that inherit the limit, need more connections than a shell allows.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= most < OPEN_FILES:
        sys.exit(f"The crowds need {OPEN_FILES} open files: raise the hard limit (ulimit -Hn), which is {most}.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.exit(0 if run_all(arguments.seconds, arguments.only) else "A PROMISE TO BUYERS WAS NOT KEPT")
