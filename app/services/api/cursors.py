"""Cursors of the feed of changes: how far a client has read, as opaque text.

A cursor has two positions in the feed, which is ordered by (changed_at, id):

- `position`: the last row that the client was sent. The next page starts after it.
- `watermark`: rows up to here are final. A transaction that is still open can add rows only after it.

While a client reads page after page, `position` moves on. At the end, `position` goes back to `watermark`, so that the
client reads the rows between the two again, together with any that were committed late. Example: at 12:00:00 a
client has read everything up to a row of 11:59:50. The watermark is 11:59:00, so the next request returns that row
again, and also a row of 11:59:40 whose transaction ended at 12:00:03.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app.database import rows

VERSION = 1
# Version, then for each position the microseconds since 1970 and the id: exactly as the database stores them.
LAYOUT = struct.Struct(">BQ16sQ16s")
ENCODED_LENGTH = -(-LAYOUT.size * 4 // 3)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Position(NamedTuple):
    """A place in the feed; positions compare as the database orders them."""

    changed_at: datetime
    id: UUID


START_POSITION = Position(EPOCH, rows.MIN_ID)


@dataclass(frozen=True)
class Cursor:
    """How far the client has read, and up to where the feed is final."""

    position: Position = START_POSITION
    watermark: Position = START_POSITION


INITIAL = Cursor()


def encode(cursor: Cursor) -> str:
    """Return the cursor as URL-safe text of ENCODED_LENGTH characters."""
    packed = LAYOUT.pack(VERSION, *_pack(cursor.position), *_pack(cursor.watermark))
    return urlsafe_b64encode(packed).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Return the cursor that `encode` made into this text; raise ValueError if `encode` did not make it."""
    try:
        packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        version, *positions = LAYOUT.unpack(packed)
        cursor = Cursor(_unpack(*positions[:2]), _unpack(*positions[2:]))
    except (ValueError, OverflowError, struct.error):
        raise ValueError("Not a cursor.") from None
    # Several base64 texts decode to the same bytes, and Python ignores foreign characters: only one text is ours.
    if version != VERSION or encode(cursor) != text:
        raise ValueError("Not a cursor.")
    return cursor


def _pack(position: Position) -> tuple[int, bytes]:
    return (position.changed_at - EPOCH) // MICROSECOND, position.id.bytes


def _unpack(microseconds: int, subscription_id: bytes) -> Position:
    return Position(EPOCH + timedelta(microseconds=microseconds), UUID(bytes=subscription_id))
