"""Times as ages."""

from datetime import timedelta

import pytest

from app.cli import ages


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (47 * 3600, "47 h ago"),
        (48 * 3600, "2 d ago"),
        (59 * 86400, "59 d ago"),
        (60 * 86400, "2026-09-30"),
        (-300, "in 5 min"),
        (-90 * 86400, "2027-02-27"),
    ],
)
def test_times_are_written_as_ages(seconds: int, words: str) -> None:
    now = ages.parse_moment("2026-11-29T12:00:00Z")
    assert now

    assert ages.describe(now - timedelta(seconds=seconds), now) == words
