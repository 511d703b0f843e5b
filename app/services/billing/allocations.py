"""Allocations: the parts of an hour by the tags of its items, and the rest without tags."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, String, Uuid, bindparam, cast, func, select

from app.models import UsageItem
from app.services.metering import quantity

# The tags as they are stored, in JSON, and the picos of the items that have them.
Part = tuple[str, int]
ITEMS: Any = UsageItem.__table__
HOUR_IDS = bindparam("hour_ids", type_=Uuid, expanding=True)
TAGS_TEXT = cast(ITEMS.c.tags, String)
SELECT_SUMS_BY_TAGS = (
    select(
        ITEMS.c.hour_id,
        func.max(TAGS_TEXT).label("tags_text"),
        func.sum(ITEMS.c.micros).label("micros"),
        func.sum(ITEMS.c.picos).label("picos"),
    )
    .where(ITEMS.c.hour_id.in_(HOUR_IDS), ITEMS.c.tags.is_not(None))
    .group_by(ITEMS.c.hour_id, TAGS_TEXT)
)


def load_parts(connection: Connection, hour_ids: Sequence[UUID]) -> Mapping[UUID, list[Part]]:
    """Return the parts with tags, by the hours that have such."""
    parts: defaultdict[UUID, list[Part]] = defaultdict(list)
    for row in connection.execute(SELECT_SUMS_BY_TAGS, {"hour_ids": hour_ids}):
        parts[row.hour_id].append((row.tags_text, quantity.join(int(row.micros), int(row.picos))))
    return parts


def build(parts: Iterable[Part], billed: int, unit: int) -> list[dict[str, Any]] | None:
    """Return the parts by tags, each rounded down, and the rest without tags; None where no item had tags."""
    allocations, rest, has_tags = list[dict[str, Any]](), billed, False
    for tags, picos in parts:
        has_tags = True
        # A remainder below zero may leave less than the parts.
        part = min(picos // unit * unit, rest)
        rest -= part
        if part:
            allocations.append({"tags": tags, "micros": part // quantity.PICOS_PER_MICRO})
    if rest or not allocations:
        allocations.append({"tags": None, "micros": rest // quantity.PICOS_PER_MICRO})
    return allocations if has_tags else None
