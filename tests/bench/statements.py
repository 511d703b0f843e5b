"""Counts the statements and transactions of a registration with hand-off and mail, on SQLite."""

import json
import subprocess
from collections.abc import Iterator

from tests.bench import buyer_requests
from tests.bench.bench_run import BenchRun
from tests.bench.buyer_requests import PAGES
from tests.bench.report_table import FigureRow, section_heading
from tests.bench.revisions import Revision
from tests.bench.servers import HANDOFFS_AND_MAIL
from tests.support.processes import ROOT

PROGRAM = ROOT / "tests" / "bench" / "count_statements.py"
LIMITS = {"statements": 14, "transactions": 5}
PageCounts = dict[str, dict[str, int]]


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield a row for each page, and the sums."""
    by_revision = {revision: _count(run, revision) for revision in dict.fromkeys(run.revisions)}
    counts = [by_revision[revision] for revision in run.revisions]
    yield section_heading("Statements (transactions), hand-off and mail stored", *run.names)
    for page in PAGES:
        now, *older = (f"{side[page.name]['statements']} ({side[page.name]['transactions']})" for side in counts)
        yield FigureRow(page.name, now, "".join(older))
    for kind, limit in LIMITS.items():
        total, *older_total = (sum(page[kind] for page in side.values()) for side in counts)
        reference = "".join(map(str, older_total))
        yield FigureRow(f"whole registration, {kind}", str(total), reference, compared=total, at_most=limit)


def _count(run: BenchRun, revision: Revision) -> PageCounts:
    variables = {
        **run.servers.environment,
        **HANDOFFS_AND_MAIL,
        "DATABASE_URL": run.sqlite(revision, 0, name="statements").url,
        "PYTHONPATH": str(revision.root),
        # The program's browser has no TLS.
        "SESSION_COOKIE_SECURE": "false",
        "ANSWERS": json.dumps(buyer_requests.answers()),
    }
    # Without -P, the program would find its own folder's modules before the revision's.
    command = [revision.python, "-P", str(PROGRAM)]
    with (run.path / "statements.log").open("ab") as log:
        program = subprocess.run(
            command, cwd=revision.root, env=variables, check=True, stdout=subprocess.PIPE, stderr=log
        )
    counts: PageCounts = json.loads(program.stdout)
    return counts
