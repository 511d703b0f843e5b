"""Measures usage on SQLite: items accepted, hours frozen and sent, calls, and memory by how much is stored."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from uuid_utils.compat import uuid7

from tests.bench import servers
from tests.bench.bench_run import BenchRun
from tests.bench.fake_aws import PRODUCT_CODE
from tests.bench.filled_databases import FAST_PRAGMAS
from tests.bench.report_table import FigureRow, section_heading
from tests.support.processes import ROOT

PROGRAM = ROOT / "tests" / "bench" / "usage_program.py"
DIMENSIONS = 3
# Of so many items, each group has two.
ITEMS, GROUPS = 100_000, 50_000
ACCEPT_SECONDS, SEND_SECONDS, CALLS = 60, 90, 2050
INSERT_STORED = (
    "INSERT INTO usage_items (id, product_code, item_id, subscription_id, dimension, micros, picos, used_at, is_late,"
    " received_at) VALUES (?, ?, ?, ?, 'dimension_0', 1, 0, ?, 0, ?)"
)


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield the rows. The limits are those of the full size; with fewer items, the same shares of them."""
    items = run.size.usage_items
    share = items / ITEMS
    # Each with two of the items; of each license, an hour for each dimension.
    subscriptions = -(-int(GROUPS * share) // DIMENSIONS)
    groups = subscriptions * DIMENSIONS
    measured = _measure(run, "usage", items, subscriptions)
    run.errors["unbilled hours"] += int(measured["unbilled"] + abs(measured["groups"] - groups))
    yield section_heading("Usage, in one process on SQLite", run.current.name, "")
    yield _limited(f"CPU to accept {items:,} items, s", measured["accept_cpu"], ACCEPT_SECONDS * share)
    yield _limited(f"CPU to freeze and send {groups:,} hours, s", measured["send_cpu"], SEND_SECONDS * share)
    yield _limited("calls of BatchMeterUsage", measured["calls"], CALLS * share + 1, decimals=0)
    ratio = (measured["sample_calls"] / measured["sample_groups"]) / (measured["calls"] / measured["groups"])
    yield FigureRow(
        "hours in a call, and as AWS's sample sends them",
        f"{measured['groups'] / measured['calls']:.1f}",
        f"{measured['sample_groups'] / measured['sample_calls']:.1f}",
        compared=ratio,
        at_least=5,
    )
    yield from _compare_memory(run)


def _compare_memory(run: BenchRun) -> Iterator[FigureRow | str]:
    few, many = run.size.few_usage_items, run.size.many_usage_items
    of_many, of_few = (
        _measure(run, name, run.size.memory_items, run.size.memory_items // 6, stored)["memory_mb"]
        for name, stored in (("usage-many", many), ("usage-few", few))
    )
    yield section_heading("The same by items stored", f"{many:,}", f"{few:,}")
    yield FigureRow("memory, MB", f"{of_many:.1f}", f"{of_few:.1f}", of_many / of_few, at_most=1.1)


def _limited(name: str, figure: float, limit: float, decimals: int = 1) -> FigureRow:
    return FigureRow(name, f"{figure:.{decimals}f}", compared=figure, at_most=limit)


def _measure(run: BenchRun, name: str, items: int, subscriptions: int, stored: int = 0) -> dict[str, float]:
    """Run the program on a database of so many subscriptions, and of items that are billed already."""
    database = run.sqlite(run.current, subscriptions, name=name)
    if stored:
        _store(Path(database.url.removeprefix("sqlite:///")), stored)
    log = run.path / "usage.log"
    with servers.serve_fake_aws(run.path, "tests.bench.fake_metering") as (_, port):
        variables = {
            **run.servers.environment,
            "DATABASE_URL": database.url,
            "PYTHONPATH": str(run.current.root),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }
        command = [run.current.python, "-P", str(PROGRAM), str(subscriptions), str(DIMENSIONS), str(items)]
        with log.open("ab") as errors:
            program = subprocess.run(
                command, cwd=run.current.root, env=variables, check=True, stdout=subprocess.PIPE, stderr=errors
            )
    figures: dict[str, float] = json.loads(program.stdout)
    return figures


def _store(path: Path, items: int) -> None:
    """Store so many items of one subscription, which no hour bills any more."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
    with closing(sqlite3.connect(path)) as connection:
        for pragma in FAST_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        (subscription_id,) = connection.execute("SELECT id FROM subscriptions LIMIT 1").fetchone()
        rows = ((uuid7().hex, PRODUCT_CODE, f"stored-{number}", subscription_id, now, now) for number in range(items))
        connection.executemany(INSERT_STORED, rows)
        connection.commit()
