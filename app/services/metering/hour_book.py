"""The hours that a transaction has locked: each item is added to its own hour, or to a later one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

from sqlalchemy import Connection

from app.config.usage_rules import UsageRules
from app.services.metering import hours, quantity
from app.services.metering.hour_rows import HourKey, HourRows, Slot, new_hour
from app.services.metering.items import UsageItem
from app.services.metering.licenses import License, Target

Verdict = Literal["accepted", "conflict", "refused"]


@dataclass(frozen=True, slots=True)
class ItemVerdict:
    """What became of one item. `status` is the HTTP status that it would have alone.

    `is_known`: it is accepted, and was stored before.
    """

    id: str | None
    status: int
    verdict: Verdict
    detail: str | None = None
    is_known: bool = False


@dataclass
class Placement:
    """An item that is to be stored, with its target."""

    position: int
    item: UsageItem
    target: Target
    license: License
    at: datetime
    rules: UsageRules
    # The hours of its subscription that were begun by the product code, with the key of that form. Set before `key` is
    # first asked for.
    product_code_hours: Mapping[datetime, str] = field(default_factory=dict)
    slot: Slot | None = None
    is_late: bool = False

    @cached_property
    def key(self) -> HourKey:
        """The natural key of the hour that the item belongs to."""
        return self.key_at(hours.hour_of(self.at))

    def key_at(self, hour: datetime) -> HourKey:
        """Return the natural key of that hour: AWS would bill an hour twice by two forms."""
        return self.product_code_hours.get(hour, self.license.key), self.item.dimension, hour

    @cached_property
    def meters(self) -> frozenset[tuple[str, str]]:
        """The first two parts of all keys that its hours have."""
        return frozenset((key, self.item.dimension) for key in (self.license.key, *self.product_code_hours.values()))

    @cached_property
    def item_key(self) -> tuple[str, str]:
        """The natural key of the item: the product's code, and its id."""
        return self.target.subscription.product_code, self.item.id

    @cached_property
    def ended_at(self) -> datetime | None:
        """When usage of its license ended; None while it goes on."""
        return self.target.subscription.ended_at(self.license)


@dataclass
class HourBook:
    """The hours that a transaction has locked, and what it adds to them."""

    connection: Connection
    now: datetime
    rows: HourRows = field(init=False)
    # Hours that are about to be created, by the first two parts of their keys.
    _planned: dict[tuple[str, str], set[datetime]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self.rows = HourRows(self.connection)

    def lock(self, placements: Sequence[Placement]) -> None:
        """Lock those of the items' own hours that exist, and the later ones that they may be added to if they are late.

        All at once: an hour that one request locks for its own item, another may lock for a late one.
        """
        keys = {placement.key for placement in placements}
        this_hour = hours.hour_of(self.now)
        moving = [p for p in placements if p.key[2] < this_hour and p.rules.late_usage == "next-hour"]
        if not moving:
            self.rows.lock(keys)
            return
        # Earlier than these, no hour is open.
        first_open = hours.month_of(self.now - hours.WINDOW) - hours.HOUR
        earliest = max(min(placement.key[2] for placement in moving), first_open)
        self.rows.lock_with_open(keys, {meter for p in moving for meter in p.meters}, earliest)

    def prepare(self, placements: Sequence[Placement]) -> None:
        """Create, in one statement and order, the hours that these items will be in."""
        on_time = {placement.key: placement for placement in placements if self._takes_items(placement.key)}
        # An hour that they create can take late ones.
        for meter_key, dimension, hour in on_time:
            self._planned[meter_key, dimension].add(hour)
        late = [placement for placement in placements if placement.key not in on_time]
        self._create({key: placement for placement in late if (key := self._find_hour(placement))} | on_time)
        tagged = (self._find_hour(placement) for placement in placements if placement.item.tags)
        self.rows.load_tags(self.rows.slots[key] for key in tagged if key)

    def place(self, placement: Placement) -> ItemVerdict | None:
        """Add the item to its hour, or to a later one, or to none where it is held; return why it cannot be added."""
        item = placement.item
        while (key := self._find_hour(placement)) and key not in self.rows.slots:
            self._create({key: placement})
        placement.is_late = key != placement.key
        if key is None:
            if placement.ended_at is None:
                return None
            detail = "The subscription has ended, and its last hour is billed already. AWS takes one record an hour."
            return ItemVerdict(item.id, 409, "refused", detail)
        slot = self.rows.slots[key]
        if slot.total + item.picos > quantity.MAX_PICOS:
            detail = f"The hour {key[2]:%Y-%m-%dT%H:00Z} would have more than the ten digits that AWS takes."
            return ItemVerdict(item.id, 422, "refused", detail)
        if item.tags and (problem := self._add_tags(slot, item)):
            return ItemVerdict(item.id, 422, "refused", problem)
        slot.total += item.picos
        slot.is_changed = True
        placement.slot = slot
        return None

    def _add_tags(self, slot: Slot, item: UsageItem) -> str | None:
        self.rows.load_tags([slot])
        return slot.tag_sets.add(item.tags) if slot.tag_sets else None

    def _takes_items(self, key: HourKey) -> bool:
        slot = self.rows.slots.get(key)
        return slot.is_open if slot else not hours.is_too_old(key[2], self.now)

    def _find_hour(self, placement: Placement) -> HourKey | None:
        """Return the hour that takes the item, which may have to be created; None where no hour can."""
        if self._takes_items(placement.key):
            return placement.key
        return self._find_later_hour(placement) if placement.rules.late_usage == "next-hour" else None

    def _find_later_hour(self, placement: Placement) -> HourKey | None:
        """Return the next hour of the license that takes items, in the month of the item."""
        hour = placement.key[2]
        latest = hours.hour_of(min(self.now, placement.ended_at or self.now))
        taking = (
            at
            for meter in placement.meters
            for at in self._open_hours(meter)
            if hour < at <= latest and placement.key_at(at)[:2] == meter
        )
        candidate = min(taking, default=latest)
        if candidate <= hour or hours.month_of(candidate) != hours.month_of(hour):
            return None
        key = placement.key_at(candidate)
        return key if self._takes_items(key) else None

    def _open_hours(self, meter: tuple[str, str]) -> set[datetime]:
        slots = self.rows.by_meter[meter]
        planned = {at for at in self._planned[meter] if at not in slots}
        return planned | {at for at, slot in slots.items() if slot.is_open}

    def _create(self, placements: dict[HourKey, Placement]) -> None:
        self.rows.create(
            {
                key: new_hour(one.target.subscription, one.license, key, due_at=self._due_at(one, key[2]), now=self.now)
                for key, one in placements.items()
                if key not in self.rows.slots
            }
        )

    def _due_at(self, placement: Placement, hour: datetime) -> datetime:
        ended_at = placement.ended_at
        if ended_at and hours.hour_of(ended_at) == hour:
            return placement.target.subscription.last_freeze_time(placement.license, ended_at)
        due_at = hours.freeze_time(hour, placement.rules.grace, self.now)
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
