"""The bench in small: every part runs, every answer is right, and the table has its rows."""

import pytest

from tests.bench.__main__ import Size, run
from tests.bench.table import Row


def test_the_bench_prints_a_row_for_every_bar(capsys: pytest.CaptureFixture[str]) -> None:
    small = Size(
        ((0.0, 4),),
        slow=0.3,
        rounds=1,
        seconds=0.1,
        starts=1,
        signups=5,
        events=4,
        few=10,
        many=50,
        health_seconds=0.3,
    )
    run(small)

    table = capsys.readouterr().out
    assert table.count("reached") + table.count("FALLS SHORT") == 9
    assert "wrong answers: none" in table


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("a", "1", judged=1.25, at_most=1.25), "<= 1.25: reached"),
        (Row("a", "1", judged=1.26, at_most=1.25), "<= 1.25: FALLS SHORT"),
        (Row("a", "1", judged=0.9, at_least=0.9), ">= 0.9: reached"),
        (Row("a", "1", judged=0.89, at_least=0.9), ">= 0.9: FALLS SHORT"),
        (Row("a", "1"), ""),
    ],
)
def test_a_row_says_whether_its_bar_was_reached(row: Row, verdict: str) -> None:
    assert row.verdict() == verdict
    assert str(row).endswith(verdict)
