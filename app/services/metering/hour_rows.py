"""The rows of hours that a transaction has locked: many are locked, created and changed in one statement."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, delete, select, text, tuple_, union_all, update
from uuid_utils.compat import uuid7

from app.models import UsageHour, UtcDateTime
from app.services.metering import quantity, tag_limits
from app.services.metering.licenses import SUBSCRIPTION_IDS, License, MeteredSubscription
from app.services.metering.tag_limits import TagSets

# Of a license, or of an old listing's customer; the dimension; and the hour's start.
HourKey = tuple[str, str, datetime]
HOURS: Any = UsageHour.__table__
INSERT_HOURS = text(
    f"INSERT INTO usage_hours ({', '.join(HOURS.c.keys())}) VALUES ({', '.join(f':{name}' for name in HOURS.c.keys())})"  # noqa: S608, SIM118  # names of our own
    " ON CONFLICT (meter_key, dimension, hour) DO NOTHING"
).bindparams(*(bindparam(column.name, type_=column.type) for column in HOURS.c))
NEW_HOUR = {
    **dict.fromkeys(HOURS.c.keys()),
    **dict.fromkeys(("micros", "picos", "tries", "unread_tries"), 0),
    "state": "open",
}
KEYS: Any = bindparam("keys", expanding=True)
# In one order: two transactions that lock several must not wait for each other.
LOCK_HOURS = (
    select(HOURS)
    .where(tuple_(HOURS.c.meter_key, HOURS.c.dimension, HOURS.c.hour).in_(KEYS))
    .order_by(HOURS.c.id)
    .with_for_update()
)
# All in one statement, for the same reason. With OR, SQLite would read the whole table.
LOCK_HOURS_AND_OPEN = (
    select(HOURS)
    .where(
        HOURS.c.id.in_(
            union_all(
                select(HOURS.c.id).where(tuple_(HOURS.c.meter_key, HOURS.c.dimension, HOURS.c.hour).in_(KEYS)),
                select(HOURS.c.id)
                .where(tuple_(HOURS.c.meter_key, HOURS.c.dimension).in_(bindparam("meters", expanding=True)))
                .where(HOURS.c.state == "open", HOURS.c.hour > bindparam("after", type_=UtcDateTime)),
            )
        )
    )
    .order_by(HOURS.c.id)
    .with_for_update(of=HOURS)
)
ADD_TO_HOUR = (
    update(HOURS)
    .where(HOURS.c.id == bindparam("hour_id"))
    .values(micros=bindparam("new_micros"), picos=bindparam("new_picos"))
)
SELECT_PRODUCT_CODE_HOURS = select(HOURS.c.subscription_id, HOURS.c.hour, HOURS.c.meter_key).where(
    HOURS.c.license_arn.is_(None),
    HOURS.c.subscription_id.in_(SUBSCRIPTION_IDS),
    HOURS.c.hour.between(bindparam("first", type_=UtcDateTime), bindparam("last", type_=UtcDateTime)),
)
DELETE_HOURS = delete(HOURS).where(HOURS.c.id.in_(bindparam("hour_ids", type_=Uuid, expanding=True)))


def new_hour(
    subscription: MeteredSubscription, license_: License, key: HourKey, *, due_at: datetime, now: datetime
) -> dict[str, Any]:
    """Return the row of an hour without usage; of the license, or by the product code where that is the key's form."""
    meter_key, dimension, hour = key
    return {
        **NEW_HOUR,
        "id": uuid7(),
        "subscription_id": subscription.id,
        "product_code": subscription.product_code,
        "meter_key": meter_key,
        "license_arn": license_.arn if meter_key == license_.key else None,
        "customer_aws_account_id": subscription.customer_aws_account_id,
        "customer_identifier": subscription.customer_identifier,
        "dimension": dimension,
        "hour": hour,
        "due_at": due_at,
        "created_at": now,
    }


def find_product_code_hours(
    connection: Connection, subscription_ids: Collection[UUID], first: datetime, last: datetime
) -> dict[UUID, dict[datetime, str]]:
    """Return the keys of the hours that were begun by the product code, by subscription and hour.

    They go on so: AWS would bill an hour twice by two forms.
    """
    found: dict[UUID, dict[datetime, str]] = defaultdict(dict)
    if subscription_ids:
        names = {"subscription_ids": list(subscription_ids), "first": first, "last": last}
        for row in connection.execute(SELECT_PRODUCT_CODE_HOURS, names):
            found[row.subscription_id][row.hour] = row.meter_key
    return found


@dataclass
class Slot:
    """One hour: its row, and what this transaction adds to it."""

    row: Any
    total: int
    tag_sets: TagSets | None = None
    is_new: bool = False
    is_changed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it takes items."""
        return bool(self.row.state == "open")


@dataclass
class HourRows:
    """The hours that the transaction has locked, by their keys."""

    connection: Connection
    slots: dict[HourKey, Slot] = field(default_factory=dict)
    # The same, by the first two parts of their keys.
    by_meter: dict[tuple[str, str], dict[datetime, Slot]] = field(default_factory=lambda: defaultdict(dict))

    def lock(self, keys: Iterable[HourKey]) -> None:
        """Lock those of the hours that exist."""
        missing = list({key for key in keys if key not in self.slots})
        if missing:
            self._add(LOCK_HOURS, {"keys": missing})

    def lock_with_open(self, keys: AbstractSet[HourKey], meters: AbstractSet[tuple[str, str]], after: datetime) -> None:
        """Lock those of the hours that exist, and all open hours of these meters that begin later."""
        self._add(LOCK_HOURS_AND_OPEN, {"keys": list(keys), "meters": list(meters), "after": after})

    def create(self, rows: Mapping[HourKey, dict[str, Any]]) -> None:
        """Create the hours, and lock them. Where another transaction creates one first, that one is locked."""
        if not rows:
            return
        while missing := sorted(key for key in rows if key not in self.slots):
            self.connection.execute(INSERT_HOURS, [rows[key] for key in missing])
            self.lock(missing)
        for key, row in rows.items():
            slot = self.slots[key]
            if slot.row.id == row["id"]:
                slot.is_new, slot.tag_sets = True, TagSets()

    def load_tags(self, slots: Iterable[Slot]) -> None:
        """Read the tags of those hours' items."""
        by_id = {slot.row.id: slot for slot in slots if slot.tag_sets is None}
        if by_id:
            for hour_id, tag_sets in tag_limits.stored_sets(self.connection, list(by_id)).items():
                by_id[hour_id].tag_sets = tag_sets

    def write(self) -> None:
        """Store the new totals. An hour that was created for nothing goes: AWS would be sent a zero for it."""
        changed = [
            dict(zip(("hour_id", "new_micros", "new_picos"), (slot.row.id, *quantity.split(slot.total)), strict=True))
            for slot in self.slots.values()
            if slot.is_changed
        ]
        if changed:
            self.connection.execute(ADD_TO_HOUR, changed)
        unused: list[UUID] = [slot.row.id for slot in self.slots.values() if slot.is_new and not slot.is_changed]
        if unused:
            self.connection.execute(DELETE_HOURS, {"hour_ids": unused})

    def _add(self, statement: Any, parameters: Mapping[str, Any]) -> None:
        for row in self.connection.execute(statement, parameters):
            key = (row.meter_key, row.dimension, row.hour)
            if key not in self.slots:
                slot = self.slots[key] = Slot(row, quantity.join(row.micros, row.picos))
                self.by_meter[key[:2]][row.hour] = slot
