"""Cursors: how far somebody has read the feed of changes, as text that is opaque to them."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

VERSION = 1
# A position is microseconds and an id: nothing is lost to rounding.
LAYOUT = struct.Struct(">BQ16sQ16s")
ENCODED_LENGTH = -(-LAYOUT.size * 4 // 3)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MIN_ID = UUID(int=0)


class Position(NamedTuple):
    """A place in the order of the feed; positions compare as the database orders them."""

    changed_at: datetime
    id: UUID


START_POSITION = Position(EPOCH, MIN_ID)


@dataclass(frozen=True)
class Cursor:
    """How far was read, and up to where nothing can appear any more that was not there when it was read."""

    position: Position = START_POSITION
    watermark: Position = START_POSITION


INITIAL = Cursor()


def encode(cursor: Cursor) -> str:
    """Return the cursor as clients get it."""
    packed = LAYOUT.pack(VERSION, *_pack(cursor.position), *_pack(cursor.watermark))
    return urlsafe_b64encode(packed).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Return the cursor that the text spells.

    Raises:
        ValueError: we never made it.
    """
    try:
        packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        version, *positions = LAYOUT.unpack(packed)
        cursor = Cursor(_unpack(*positions[:2]), _unpack(*positions[2:]))
    except (ValueError, OverflowError, struct.error):
        raise ValueError("It is no cursor.") from None
    # base64 has several spellings of the same, and Python overlooks what does not belong there.
    if version != VERSION or encode(cursor) != text:
        raise ValueError("It is no cursor.")
    return cursor


def _pack(position: Position) -> tuple[int, bytes]:
    return (position.changed_at - EPOCH) // MICROSECOND, position.id.bytes


def _unpack(microseconds: int, subscription_id: bytes) -> Position:
    return Position(EPOCH + timedelta(microseconds=microseconds), UUID(bytes=subscription_id))
