"""A small bench: every part runs, every response is right, and the table has a row for every limit."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from tests.bench import (
    cpu_quota,
    event_throughput,
    filled_databases,
    landings,
    registrations,
    revisions,
    rounds,
    sent_messages,
    start_up,
    statements,
    usage,
)
from tests.bench.bench_run import BenchRun, BenchSize
from tests.bench.report_table import FigureRow

SMALL = BenchSize(
    loads=((0.0, 4),),
    slow_aws_seconds=0.3,
    rounds=1,
    warm_ups=0,
    seconds=0.1,
    starts=1,
    registrations=4,
    quota_rounds=1,
    events=20,
    few_subscriptions=10,
    many_subscriptions=10,
    health_seconds=0.3,
    usage_items=600,
    memory_items=100,
    few_usage_items=10,
    many_usage_items=10,
)


@pytest.fixture
def run(tmp_path: Path, sqlite_template: Path) -> Iterator[BenchRun]:
    """A run that compares the working tree, in this process's environment, with itself."""
    shutil.copy(sqlite_template, filled_databases.sqlite_template(tmp_path, revisions.running()))
    with ExitStack() as stack:
        yield BenchRun(stack, tmp_path, SMALL, revisions.running(), revisions.running())


def count_limits(run: BenchRun, *sections: ModuleType) -> int:
    """Return how many rows with a limit the sections report; fail where a response was wrong."""
    lines = [line for section in sections for line in section.report_lines(run)]
    assert not +run.errors
    return sum(isinstance(line, FigureRow) and bool(line.verdict()) for line in lines)


# Several tests, so that they run at the same time.
def test_bench_limits_registrations_and_sends_what_they_store(run: BenchRun) -> None:
    assert count_limits(run, registrations, sent_messages) == 6


def test_bench_limits_events_on_sqlite_and_postgresql(run: BenchRun) -> None:
    assert count_limits(run, event_throughput) == 6


def test_bench_limits_usage(run: BenchRun) -> None:
    assert count_limits(run, usage) == 5


def test_bench_limits_landings_statements_latency_and_start(run: BenchRun) -> None:
    latencies = bool(shutil.which("cpulimit")) + os.access(cpu_quota.CPU_GROUPS, os.W_OK)

    assert count_limits(run, landings, statements, cpu_quota, start_up) == 4 + 2 + latencies + 1


def test_sides_are_measured_in_turn_and_compared_round_by_round() -> None:
    order = ""

    def measure(side: str) -> dict[str, float]:
        nonlocal order
        order += side
        return {"cpu": len(order) * (2 if side == "A" else 1)}

    first, second = rounds.measure_in_turn("AB", measure, rounds=3)

    assert order == "AB" + "AB" + "BA" + "AB"
    assert first.median("cpu") == 12
    assert first.ratio(second, "cpu") == 14 / 8


def test_older_commit_is_checked_out(tmp_path: Path) -> None:
    revisions.extract(revisions.short_hash("HEAD"), tmp_path)

    assert (tmp_path / "wsgi.py").exists()


def test_unknown_commit_is_refused_with_what_to_do() -> None:
    with pytest.raises(SystemExit, match="AGAINST=no-such-commit: no such commit here; give one that `git log` lists"):
        revisions.short_hash("no-such-commit")


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (FigureRow("a", "1", compared=1.25, at_most=1.25), "<= 1.25: met"),
        (FigureRow("a", "1", compared=1.26, at_most=1.25), "<= 1.25: MISSED"),
        (FigureRow("a", "1", compared=0.9, at_least=0.9), ">= 0.9: met"),
        (FigureRow("a", "1", compared=0.89, at_least=0.9), ">= 0.9: MISSED"),
        (FigureRow("a", "1"), ""),
    ],
)
def test_row_shows_whether_its_limit_is_met(row: FigureRow, verdict: str) -> None:
    assert row.verdict() == verdict
    assert str(row).endswith(verdict)
