"""Measures the start of a container's server beside the imports that it cannot do without."""

import subprocess
from collections.abc import Iterator
from functools import partial

from tests.bench.bench_run import BenchRun
from tests.bench.report_table import FigureRow, section_heading
from tests.bench.revisions import Revision
from tests.bench.rounds import Figures

IMPORT_COMMAND = "import time, flask, boto3, sqlalchemy; print(time.process_time())"


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield the rows of the start-up, each revision's beside the imports in its own environment."""
    results = run.measure(run.revisions, partial(_start, run), run.size.starts)
    for revision, starts in zip(run.revisions, results, strict=True):
        limit = 1.45 if revision is run.current else None
        yield section_heading(f"Start-up, {revision.name}", revision.name, "imports")
        cpu, imports = (f"{starts.median(name):.2f}" for name in ("cpu", "imports"))
        yield FigureRow("CPU until healthy, s", cpu, imports, starts.median("ratio"), at_most=limit)
        yield FigureRow("time until healthy, s", f"{starts.median('seconds'):.2f}")


def _start(run: BenchRun, revision: Revision) -> Figures:
    with run.servers.serve_foyer(run.sqlite(revision, 0, name="start-up")) as server:
        cpu, seconds = server.start_cpu_seconds, server.start_seconds
    command = [revision.python, "-c", IMPORT_COMMAND]
    imports = float(subprocess.run(command, cwd=revision.root, check=True, capture_output=True).stdout)
    return {"cpu": cpu, "seconds": seconds, "imports": imports, "ratio": cpu / imports}
