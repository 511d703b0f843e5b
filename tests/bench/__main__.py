"""`make bench`: runs every measurement and prints the table, a line as soon as it is measured."""

import os
import platform
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import (
    cpu_quota,
    event_throughput,
    landings,
    registrations,
    revisions,
    sent_messages,
    start_up,
    statements,
    usage,
)
from tests.bench.bench_run import BenchRun, BenchSize

SECTIONS = (registrations, sent_messages, event_throughput, landings, statements, cpu_quota, start_up, usage)


def main(against: str | None = None) -> None:
    """Install the environments and print the table, beside this commit if one is given."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory(prefix="foyer-bench-") as folder, ExitStack() as stack:
        older = revisions.check_out(against, Path(folder)) if against else None
        run = BenchRun(stack, Path(folder), BenchSize(), revisions.working_tree(Path(folder)), older)
        for section in SECTIONS:
            for line in section.report_lines(run):
                print(line, flush=True)
        print(f"\nwrong responses: {dict(+run.errors) or 'none'}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
