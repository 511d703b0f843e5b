"""The hours that a transaction has locked: each item is added to its own hour, or to a later one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, select, text, tuple_, update
from uuid_utils.compat import uuid7

from app.config import products
from app.config.usage_rules import UsageRules
from app.models import UsageHour, UtcDateTime
from app.services.metering import hours, quantity, tag_limits
from app.services.metering.items import UsageItem
from app.services.metering.licenses import License, Target
from app.services.metering.tag_limits import TagSet

Verdict = Literal["accepted", "conflict", "refused"]
# Of a license, or of an old listing's customer; the dimension; and the hour's start.
HourKey = tuple[str, str, datetime]
HOURS: Any = UsageHour.__table__
INSERT_HOUR = text(
    f"INSERT INTO usage_hours ({', '.join(HOURS.c.keys())}) VALUES ({', '.join(f':{name}' for name in HOURS.c.keys())})"  # noqa: S608, SIM118  # names of our own
    " ON CONFLICT (meter_key, dimension, hour) DO NOTHING"
).bindparams(*(bindparam(column.name, type_=column.type) for column in HOURS.c))
KEYS: Any = bindparam("keys", expanding=True)
# In one order: two transactions that lock several must not wait for each other.
LOCK_HOURS = (
    select(HOURS)
    .where(tuple_(HOURS.c.meter_key, HOURS.c.dimension, HOURS.c.hour).in_(KEYS))
    .order_by(HOURS.c.id)
    .with_for_update()
)
LOCK_LATER_HOURS = (
    select(HOURS)
    .where(HOURS.c.meter_key == bindparam("meter_key"), HOURS.c.dimension == bindparam("of_dimension"))
    .where(HOURS.c.hour > bindparam("after", type_=UtcDateTime))
    .order_by(HOURS.c.hour)
    .with_for_update()
)
ADD_TO_HOUR = (
    update(HOURS)
    .where(HOURS.c.id == bindparam("hour_id"))
    .values(micros=bindparam("new_micros"), picos=bindparam("new_picos"))
)


@dataclass(frozen=True)
class ItemVerdict:
    """What became of one item. `status` is the HTTP status that it would have alone."""

    id: str | None
    status: int
    verdict: Verdict
    detail: str | None = None


@dataclass
class Slot:
    """One hour that takes items: its row, and what this transaction adds to it."""

    row: Any
    total: int
    tag_sets: frozenset[TagSet] | None = None
    is_changed: bool = False


@dataclass
class Placement:
    """An item that is to be stored, with its target."""

    position: int
    item: UsageItem
    target: Target
    license: License
    at: datetime
    form_key: str = ""
    slot: Slot | None = None
    is_late: bool = False

    @property
    def key(self) -> tuple[str, str, datetime]:
        """The natural key of the hour that the item belongs to."""
        return self.form_key or self.license.key, self.item.dimension, hours.hour_of(self.at)


@dataclass
class HourBook:
    """The hours that a transaction has locked, and what it adds to them."""

    connection: Connection
    now: datetime
    slots: dict[tuple[str, str, datetime], Slot] = field(default_factory=dict)
    wanted: set[tuple[str, str, datetime]] = field(default_factory=set)

    def lock(self, keys: Iterable[tuple[str, str, datetime]]) -> None:
        """Lock those of the hours that exist. Others are created with their first item."""
        self.wanted |= set(keys)
        self._read(self.wanted)

    def _read(self, keys: Iterable[tuple[str, str, datetime]]) -> None:
        missing = [key for key in keys if key not in self.slots]
        if missing:
            for row in self.connection.execute(LOCK_HOURS, {"keys": missing}):
                self._add(row)

    def _add(self, row: Row[Any]) -> Slot:
        slot = Slot(row, quantity.join(row.micros, row.picos))
        return self.slots.setdefault((row.meter_key, row.dimension, row.hour), slot)

    def place(self, placement: Placement) -> ItemVerdict | None:
        """Add the item to its hour, or to a later one, or to none where it is held; return why it cannot be added."""
        item, (_meter_key, _dimension, hour) = placement.item, placement.key
        rules = products.usage_rules(placement.target.subscription.product_code)
        slot = self.slots.get(placement.key)
        if slot is None and not hours.is_too_old(hour, self.now):
            slot = self._create(placement, hour, rules)
        if slot is None or slot.row.state != "open":
            placement.is_late = True
            slot = self._later_slot(placement, rules) if rules.late_usage == "next-hour" else None
            if slot is None and self._is_over(placement):
                detail = (
                    "The subscription has ended, and its last hour is billed already. AWS takes one record an hour."
                )
                return ItemVerdict(item.id, 409, "refused", detail)
        if slot is None:
            return None
        if slot.total + item.picos > quantity.MAX_PICOS:
            detail = f"The hour {hour:%Y-%m-%dT%H:00Z} would have more than the ten digits that AWS takes."
            return ItemVerdict(item.id, 422, "refused", detail)
        if item.tags and (problem := self._add_tags(slot, item.tags)):
            return ItemVerdict(item.id, 422, "refused", problem)
        slot.total += item.picos
        slot.is_changed = True
        placement.slot = slot
        return None

    def _add_tags(self, slot: Slot, tags: TagSet) -> str | None:
        stored = slot.tag_sets if slot.tag_sets is not None else tag_limits.stored_sets(self.connection, slot.row.id)
        problem = tag_limits.problem_with(stored | {tags})
        slot.tag_sets = stored if problem else stored | {tags}
        return problem

    def _is_over(self, placement: Placement) -> bool:
        return placement.target.subscription.ended_at(placement.license) is not None

    def _later_slot(self, placement: Placement, rules: UsageRules) -> Slot | None:
        """Return the next hour of the license that takes items, in the month of the item; None where there is none."""
        meter_key, dimension, hour = placement.key
        names = {"meter_key": meter_key, "of_dimension": dimension, "after": hour}
        for row in self.connection.execute(LOCK_LATER_HOURS, names).all():
            self._add(row)
        ended_at = placement.target.subscription.ended_at(placement.license)
        latest = min(hours.hour_of(self.now), hours.hour_of(ended_at)) if ended_at else hours.hour_of(self.now)
        later = sorted(
            key[2]
            for key, slot in self.slots.items()
            if key[:2] == (meter_key, dimension) and key[2] > hour and slot.row.state == "open" and key[2] <= latest
        )
        for candidate in [*later, latest]:
            if candidate <= hour or hours.month_of(candidate) != hours.month_of(placement.item.at):
                continue
            slot = self.slots.get((meter_key, dimension, candidate)) or self._create(placement, candidate, rules)
            if slot.row.state == "open":
                return slot
        return None

    def _create(self, placement: Placement, hour: datetime, rules: UsageRules) -> Slot:
        subscription, license_ = placement.target.subscription, placement.license
        meter_key, dimension, _ = placement.key
        is_old_form = license_.arn is None or bool(placement.form_key)
        row = {
            **dict.fromkeys(HOURS.c.keys()),
            "id": uuid7(),
            "subscription_id": subscription.id,
            "product_code": subscription.product_code,
            "meter_key": meter_key,
            "license_arn": None if is_old_form else license_.arn,
            "customer_aws_account_id": subscription.customer_aws_account_id,
            "customer_identifier": subscription.customer_identifier,
            "dimension": dimension,
            "hour": hour,
            **dict.fromkeys(("micros", "picos", "tries", "unread_tries"), 0),
            "state": "open",
            "due_at": self._due_at(placement, hour, rules),
            "created_at": self.now,
        }
        self.connection.execute(INSERT_HOUR, row)
        key = (meter_key, dimension, hour)
        self._read([key])
        return self.slots[key]

    def _due_at(self, placement: Placement, hour: datetime, rules: UsageRules) -> datetime:
        ended_at = placement.target.subscription.ended_at(placement.license)
        if ended_at and hours.hour_of(ended_at) == hour:
            return hours.final_freeze_time(ended_at)
        due_at = hours.freeze_time(hour, rules.grace, self.now)
        return min(due_at, self.now) if ended_at else due_at

    def remark(self, placement: Placement) -> str | None:
        """Return what the sender should know of an accepted item."""
        if placement.slot is None:
            return (
                "Held: its hour is over, and no later hour of the month can bill it. foyer usage list --held shows it."
            )
        if placement.is_late:
            return f"Late: it is billed in the hour {placement.slot.row.hour:%Y-%m-%dT%H:00Z}."
        return None

    def write(self) -> None:
        """Store the new totals."""
        changed = [
            dict(zip(("hour_id", "new_micros", "new_picos"), (slot.row.id, *quantity.split(slot.total)), strict=True))
            for slot in self.slots.values()
            if slot.is_changed
        ]
        if changed:
            self.connection.execute(ADD_TO_HOUR, changed)
