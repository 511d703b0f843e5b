"""How many tags AWS takes in one record: five keys, and 2,500 different sets of tags."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, String, Uuid, bindparam, cast, select

from app.models import UsageItem

MAX_KEYS = 5
MAX_SETS = 2500
SELECT_TAGS = (
    select(UsageItem.hour_id, cast(UsageItem.tags, String).label("tags_text"))
    .where(
        UsageItem.hour_id.in_(bindparam("hour_ids", type_=Uuid, expanding=True)),
        UsageItem.tags.is_not(None),
    )
    .distinct()
)


TagSet = tuple[tuple[str, str], ...]


@dataclass
class TagSets:
    """The different sets of tags that an hour's items have."""

    sets: set[TagSet] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)

    def add(self, tags: TagSet) -> str | None:
        """Add the tags of one more item; return why the hour's record has no room for them."""
        if tags in self.sets:
            return None
        keys = self.keys | {key for key, _ in tags}
        if len(keys) > MAX_KEYS:
            names = ", ".join(sorted(keys))
            return f"The hour would have more than {MAX_KEYS} different tags: {names}. AWS takes {MAX_KEYS}."
        if len(self.sets) >= MAX_SETS:
            return f"The hour would have more than {MAX_SETS} different sets of tags. AWS takes no more."
        self.sets.add(tags)
        self.keys = keys
        return None


def read(tags_text: str) -> TagSet:
    """Return the tags of an item as they are stored, in JSON."""
    return tuple(sorted(json.loads(tags_text).items()))


def stored_sets(connection: Connection, hour_ids: Sequence[UUID]) -> dict[UUID, TagSets]:
    """Return the sets of tags that the items of each of these hours have."""
    found = {hour_id: TagSets() for hour_id in hour_ids}
    for row in connection.execute(SELECT_TAGS, {"hour_ids": hour_ids}):
        tags = read(row.tags_text)
        found[row.hour_id].sets.add(tags)
        found[row.hour_id].keys.update(key for key, _ in tags)
    return found
