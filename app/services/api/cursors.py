"""Cursors of the feed of changes: how far a client has read, as opaque text.

A cursor names a place in the feed's order: number of the change, then id. It is that of the last row that the client
was sent or, at the end of the feed, the end. It also names the epoch of those numbers: after a backup was restored, the
numbers of another history would mean nothing.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from app.database import rows

VERSION = 2
# Version, epoch, number and id.
LAYOUT = struct.Struct(">B16sQ16s")
ENCODED_LENGTH = -(-LAYOUT.size * 4 // 3)
# Cursors of version 1 had times in place of numbers. Their clients start again at the beginning.
OLD_VERSION, OLD_LAYOUT = 1, struct.Struct(">BQ16sQ16s")
OLD_ENCODED_LENGTH = -(-OLD_LAYOUT.size * 4 // 3)
# Of the list of usage: its version, an hour in seconds since 1970, and the id of the row.
USAGE_VERSION, USAGE_LAYOUT = 3, struct.Struct(">BI16s")
USAGE_ENCODED_LENGTH = -(-USAGE_LAYOUT.size * 4 // 3)
# What the databases can store, and what sorts after every id.
MAX_NUMBER = 2**63 - 1
MAX_ID = UUID(int=2**128 - 1)
NO_EPOCH = UUID(int=0)


@dataclass(frozen=True)
class Cursor:
    """Up to where the client has read; `number` and `id` mean something in this epoch alone."""

    epoch: UUID = NO_EPOCH
    number: int = 0
    id: UUID = rows.MIN_ID


INITIAL = Cursor()


def encode(cursor: Cursor) -> str:
    """Return the cursor as URL-safe text of ENCODED_LENGTH characters."""
    return _to_text(LAYOUT.pack(VERSION, cursor.epoch.bytes, cursor.number, cursor.id.bytes))


def encode_usage(hour: datetime, row_id: UUID) -> str:
    """Return the cursor of a place in the list of usage, after this hour."""
    return _to_text(USAGE_LAYOUT.pack(USAGE_VERSION, int(hour.timestamp()), row_id.bytes))


def decode_usage(text: str) -> tuple[datetime, UUID]:
    """Return what `encode_usage` was given; raise ValueError if it did not make this text."""
    try:
        version, seconds, row_id = USAGE_LAYOUT.unpack(_to_bytes(text))
    except (ValueError, struct.error):
        raise ValueError("Not a cursor.") from None
    if version != USAGE_VERSION:
        raise ValueError("Not a cursor.")
    return datetime.fromtimestamp(seconds, UTC), UUID(bytes=row_id)


def decode(text: str) -> Cursor:
    """Return the cursor that `encode` made into this text; raise ValueError if `encode` did not make it."""
    try:
        packed = _to_bytes(text)
        if len(packed) == OLD_LAYOUT.size and packed[0] == OLD_VERSION:
            return INITIAL
        version, epoch, number, row_id = LAYOUT.unpack(packed)
    except (ValueError, struct.error):
        raise ValueError("Not a cursor.") from None
    if version != VERSION or number > MAX_NUMBER:
        raise ValueError("Not a cursor.")
    return Cursor(UUID(bytes=epoch), number, UUID(bytes=row_id))


def _to_bytes(text: str) -> bytes:
    packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    # Several base64 texts decode to the same bytes, and Python ignores foreign characters: only one text is ours.
    if _to_text(packed) != text:
        raise ValueError("not the text of these bytes")
    return packed


def _to_text(packed: bytes) -> str:
    return urlsafe_b64encode(packed).decode().rstrip("=")
