"""The bench in small: every part runs, every answer is right, and the table has its rows."""

import pytest

from tests.bench.__main__ import BenchSize, run_bench
from tests.bench.report_table import FigureRow


def test_the_bench_prints_a_row_for_every_bar(capsys: pytest.CaptureFixture[str]) -> None:
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
    assert table.count("reached") + table.count("FALLS SHORT") == 9
    assert "wrong answers: none" in table


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (FigureRow("a", "1", compared=1.25, at_most=1.25), "<= 1.25: reached"),
        (FigureRow("a", "1", compared=1.26, at_most=1.25), "<= 1.25: FALLS SHORT"),
        (FigureRow("a", "1", compared=0.9, at_least=0.9), ">= 0.9: reached"),
        (FigureRow("a", "1", compared=0.89, at_least=0.9), ">= 0.9: FALLS SHORT"),
        (FigureRow("a", "1"), ""),
    ],
)
def test_a_row_says_whether_its_bar_was_reached(row: FigureRow, verdict: str) -> None:
    assert row.verdict() == verdict
    assert str(row).endswith(verdict)
