"""A small bench: every part runs, every response is right, and the table has a row for every limit."""

from pathlib import Path

import pytest

from tests.bench import revisions
from tests.bench.__main__ import run_bench
from tests.bench.bench_run import BenchSize
from tests.bench.report_table import FigureRow

SMALL = BenchSize(
    loads=((0.0, 4),),
    slow_aws_seconds=0.3,
    rounds=1,
    seconds=0.1,
    starts=1,
    registrations=4,
    events=20,
    few_subscriptions=10,
    many_subscriptions=50,
    health_seconds=0.3,
)


def test_bench_prints_a_row_for_every_limit(capsys: pytest.CaptureFixture[str]) -> None:
    run_bench(SMALL, revisions.running(), revisions.running("then"))

    table = capsys.readouterr().out
    assert table.count(": met") + table.count(": MISSED") == 17
    assert "wrong responses: none" in table


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
