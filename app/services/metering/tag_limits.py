"""How many tags AWS takes in one record: five keys, and 2,500 different sets of tags."""

import json
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, String, bindparam, cast, select

from app.models import UsageItem

MAX_KEYS = 5
MAX_SETS = 2500
# As text: PostgreSQL does not compare JSON, and SQLite has no DISTINCT ON.
SELECT_TAGS = (
    select(cast(UsageItem.tags, String))
    .where(UsageItem.hour_id == bindparam("hour_id"), UsageItem.tags.is_not(None))
    .distinct()
)


TagSet = tuple[tuple[str, str], ...]


def stored_sets(connection: Connection, hour_id: UUID) -> frozenset[TagSet]:
    """Return the sets of tags that the hour's items have."""
    texts = connection.scalars(SELECT_TAGS, {"hour_id": hour_id})
    return frozenset(tuple(sorted(json.loads(text).items())) for text in texts)


def problem_with(tag_sets: Sequence[TagSet] | frozenset[TagSet]) -> str | None:
    """Return why the sets of tags do not fit into one record; None where they do."""
    if len(keys := {key for tag_set in tag_sets for key, _ in tag_set}) > MAX_KEYS:
        return (
            f"The hour would have more than {MAX_KEYS} different tags: {', '.join(sorted(keys))}. AWS takes {MAX_KEYS}."
        )
    if len(tag_sets) > MAX_SETS:
        return f"The hour would have more than {MAX_SETS} different sets of tags. AWS takes no more."
    return None
