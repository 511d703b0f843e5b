"""A small bench: every part runs, every response is right, and the table has a row for every limit."""

import pytest

from tests.bench.__main__ import BenchSize, run_bench
from tests.bench.report_table import FigureRow


def test_bench_prints_a_row_for_every_limit(capsys: pytest.CaptureFixture[str]) -> None:
    small = BenchSize(
        ((0.0, 4),),
        slow_aws_seconds=0.3,
        rounds=1,
        seconds=0.1,
        starts=1,
        signups=5,
        events=4,
        few_subscriptions=10,
        many_subscriptions=50,
        health_seconds=0.3,
    )
    run_bench(small)

    table = capsys.readouterr().out
    assert table.count(": met") + table.count(": MISSED") == 9
    assert "wrong responses: none" in table


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
