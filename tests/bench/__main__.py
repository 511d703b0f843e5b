"""`make bench`: runs every measurement and prints the table, a line as soon as it is measured."""

import os
import platform
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import event_throughput, landings, registrations, revisions, start_up
from tests.bench.bench_run import BenchRun, BenchSize
from tests.bench.revisions import Revision

SECTIONS = (registrations, event_throughput, landings, start_up)


def run_bench(size: BenchSize, current: Revision, older: Revision | None = None) -> None:
    """Measure the current revision, beside the older one if there is one, and print the table."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores", flush=True)
    with ExitStack() as stack:
        run = BenchRun(stack, size, current, older)
        for section in SECTIONS:
            for line in section.report_lines(run):
                print(line, flush=True)
        print(f"\nwrong responses: {dict(run.errors) or 'none'}", flush=True)


def main(against: str | None = None) -> None:
    """Install the environments and run the bench, against this commit if one is given."""
    with tempfile.TemporaryDirectory(prefix="foyer-revisions-") as folder:
        older = revisions.check_out(against, Path(folder)) if against else None
        run_bench(BenchSize(), revisions.working_tree(Path(folder)), older)


if __name__ == "__main__":
    main(*sys.argv[1:])
