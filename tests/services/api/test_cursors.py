"""Cursors: encoding and decoding are exact inverses, and any other text is refused."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.api import cursors
from app.services.api.cursors import Cursor, Position

MOMENTS = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis adds it
POSITIONS = st.builds(Position, MOMENTS, st.uuids())
ENCODED = cursors.encode(Cursor(Position(datetime(2026, 11, 23, tzinfo=UTC), UUID(int=7))))


@given(cursor=st.builds(Cursor, POSITIONS, POSITIONS))
def test_cursor_round_trips_to_the_microsecond(cursor: Cursor) -> None:
    text = cursors.encode(cursor)

    assert len(text) == cursors.ENCODED_LENGTH
    assert cursors.decode(text) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        ENCODED[:-1],
        f"{ENCODED}A",
        f"{ENCODED}==",
        f" {ENCODED}",
        f"{ENCODED}\n",
        f"Ag{ENCODED[2:]}",
        f"{ENCODED[:-1]}B",
        f"AQ{'_' * 64}",
        "é" * 66,
        "\x00" * 66,
    ],
)
def test_text_that_encode_never_made_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Not a cursor"):
        cursors.decode(text)
