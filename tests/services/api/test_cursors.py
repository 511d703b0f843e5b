"""Cursors: what was made comes back as it was, and nothing else is taken for one."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.api import cursors
from app.services.api.cursors import Cursor, Position

MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis adds it
POSITIONS = st.builds(Position, MOMENTS, st.uuids())
MADE = cursors.encode(Cursor(Position(datetime(2026, 11, 23, tzinfo=UTC), UUID(int=7))))


@given(cursor=st.builds(Cursor, POSITIONS, POSITIONS))
def test_a_cursor_comes_back_to_the_microsecond(cursor: Cursor) -> None:
    text = cursors.encode(cursor)

    assert len(text) == cursors.ENCODED_LENGTH
    assert cursors.decode(text) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        MADE[:-1],
        f"{MADE}A",
        f"{MADE}==",
        f" {MADE}",
        f"{MADE}\n",
        f"Ag{MADE[2:]}",
        f"{MADE[:-1]}B",
        f"AQ{'_' * 64}",
        "é" * 66,
        "\x00" * 66,
    ],
)
def test_what_we_never_made_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        cursors.decode(text)
