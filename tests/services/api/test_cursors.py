"""Cursors: encoding and decoding are exact inverses, and any other text is refused."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.api import cursors
from app.services.api.cursors import Cursor

NUMBERS = st.integers(0, cursors.MAX_NUMBER)
ENCODED = cursors.encode(Cursor(UUID(int=3), 2026, UUID(int=7)))
# As the first version made it of a time and an id, twice.
OLD = "AQAGQCxhzuAAAZ0z0z0z0z0z0z0z0z0z0wAGQCxhzuAAAZ0z0z0z0z0z0z0z0z0z0w"


@given(cursor=st.builds(Cursor, st.uuids(), NUMBERS, st.uuids()))
def test_cursor_round_trips(cursor: Cursor) -> None:
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
        f"Aw{ENCODED[2:]}",
        f"{ENCODED[:-1]}B",
        f"Ag{'_' * 53}",
        f"Ag{OLD[2:]}",
        f"{OLD[:-1]}x",
        "é" * 55,
        "\x00" * 55,
    ],
)
def test_text_that_encode_never_made_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Not a cursor"):
        cursors.decode(text)


def test_cursor_of_the_first_version_starts_at_the_beginning() -> None:
    assert cursors.decode(OLD) == cursors.INITIAL
