"""Freezing: an hour's quantity is fixed, once, from the items that it has by then; later ones are late.

The quantity is rounded down to what AWS takes: six decimals, or whole units where the product is metered by those. The
rest goes to the next hour of the license, so that the sum is right:

    whole units, 0.6 an hour    hour 10: 0, rest 0.6    hour 11: 1, rest 0.2    hour 12: 0, rest 0.8
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, Uuid, bindparam, func, select, text, tuple_, update

from app.config import products
from app.database.transactions import after_commit, transaction
from app.models import UsageHour, UsageItem, UsageRemainder, UtcDateTime
from app.services.billing import allocations
from app.services.billing.included import Allowances
from app.services.billing.record_times import RecordTimes
from app.services.metering import clock, licenses, quantity
from app.services.metering.hour_rows import ADD_TO_HOUR, DELETE_HOURS
from app.services.metering.licenses import MeteredSubscription

log = structlog.get_logger()

BATCH_SIZE = 500
HOURS: Any = UsageHour.__table__
ITEMS: Any = UsageItem.__table__
REMAINDERS: Any = UsageRemainder.__table__
NOW = bindparam("now", type_=UtcDateTime)
SELECT_DUE = (
    select(HOURS)
    .where(HOURS.c.state == "open", HOURS.c.due_at <= NOW)
    # A remainder goes from an hour to the next one.
    .order_by(HOURS.c.due_at, HOURS.c.hour)
    .limit(BATCH_SIZE)
    .with_for_update(skip_locked=True)
)
HOUR_IDS = bindparam("hour_ids", type_=Uuid, expanding=True)
SELECT_FIRST_USE = (
    select(ITEMS.c.hour_id, func.min(ITEMS.c.used_at).label("used_at"))
    .where(ITEMS.c.hour_id.in_(HOUR_IDS))
    .group_by(ITEMS.c.hour_id)
)
KEYS: Any = bindparam("keys", expanding=True)
SELECT_REMAINDERS = select(REMAINDERS).where(tuple_(REMAINDERS.c.meter_key, REMAINDERS.c.dimension).in_(KEYS))
UPSERT_REMAINDER = text(
    "INSERT INTO usage_remainders (meter_key, dimension, picos) VALUES (:meter_key, :dimension, :picos)"
    " ON CONFLICT (meter_key, dimension) DO UPDATE SET picos = excluded.picos"
)
SELECT_LATER_OPEN = select(HOURS.c.id).where(
    HOURS.c.meter_key == bindparam("of_key"),
    HOURS.c.dimension == bindparam("of_dimension"),
    HOURS.c.hour > bindparam("after", type_=UtcDateTime),
    HOURS.c.state == "open",
)
FREEZE = (
    update(HOURS)
    .where(HOURS.c.id == bindparam("hour_id"))
    .values(
        {
            name: bindparam(f"new_{name}", type_=HOURS.c[name].type)
            for name in ("state", "quantity", "included", "allocations", "timestamp", "due_at", "frozen_at")
        }
    )
)
RESCHEDULE = (
    update(HOURS).where(HOURS.c.id == bindparam("hour_id")).values(due_at=bindparam("later", type_=UtcDateTime))
)
# An item of an hour in which its license was not in force: see record_times.
SELECT_TARGET = (
    select(HOURS)
    .where(HOURS.c.meter_key == bindparam("of_key"), HOURS.c.dimension == bindparam("of_dimension"))
    .where(HOURS.c.hour == bindparam("billable", type_=UtcDateTime))
)
LOCK_TARGET = SELECT_TARGET.where(HOURS.c.state == "open").with_for_update(skip_locked=True)
MOVE_HOUR = (
    update(HOURS)
    .where(HOURS.c.id == bindparam("hour_id"))
    .values(hour=bindparam("billable", type_=UtcDateTime), due_at=bindparam("now", type_=UtcDateTime))
)
MOVE_ITEMS = update(UsageItem).where(UsageItem.hour_id == bindparam("from_id")).values(hour_id=bindparam("into_id"))


# Until the end of the transaction, so that it works through every pooler. Any number that nothing else locks.
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
FREEZER_LOCK = 0x466F796572


@dataclass
class _Batch:
    """What the hours of one transaction need to know."""

    connection: Connection
    now: datetime
    remainders: dict[tuple[str, str], int]
    parts: Mapping[UUID, list[allocations.Part]]
    first_uses: dict[UUID, datetime]
    allowances: Allowances
    frozen: list[dict[str, Any]] = field(default_factory=list)


@transaction
def freeze_due(connection: Connection) -> bool | None:
    """Freeze the hours whose time has come; return True where there may be more, None where there are none."""
    now = clock.now()
    if not is_only_freezer(connection):
        return None
    rows = connection.execute(SELECT_DUE, {"now": now}).all()
    if not rows:
        return None
    subscriptions = licenses.find_by_ids(connection, {row.subscription_id for row in rows})
    due, later = [], []
    for row in rows:
        times = _times(row, subscriptions[row.subscription_id])
        if times.billable_hour() != row.hour and _move(connection, times, now):
            continue
        freezes_at = times.freezes_at()
        if freezes_at > now:
            later.append({"hour_id": row.id, "later": freezes_at})
        else:
            due.append(times)
    if later:
        connection.execute(RESCHEDULE, later)
    if due:
        _freeze_all(connection, due, now)
    after_commit(log.info, "usage.frozen", hours=len(due))
    return True if len(rows) == BATCH_SIZE else None


def is_only_freezer(connection: Connection) -> bool:
    """Return whether no other transaction freezes hours: of two, one would lose a remainder that the other changes."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.execute(TRY_LOCK, {"key": FREEZER_LOCK}).scalar_one())


def _times(row: Row[Any], subscription: MeteredSubscription) -> RecordTimes:
    license_ = subscription.license_by_key(row.meter_key)
    return RecordTimes(row, subscription, license_, subscription.ended_at(license_))


def _move(connection: Connection, times: RecordTimes, now: datetime) -> bool:
    """Move the items to the hour in which AWS takes them; return False where that one is frozen already."""
    row = times.row
    names = {"of_key": row.meter_key, "of_dimension": row.dimension, "billable": times.billable_hour()}
    if connection.execute(SELECT_TARGET, names).first() is None:
        connection.execute(MOVE_HOUR, {"hour_id": row.id, "billable": times.billable_hour(), "now": now})
        return True
    target = connection.execute(LOCK_TARGET, names).first()
    if target is None:
        return False
    total = quantity.join(target.micros, target.picos) + quantity.join(row.micros, row.picos)
    micros, picos = quantity.split(total)
    connection.execute(MOVE_ITEMS, {"from_id": row.id, "into_id": target.id})
    connection.execute(ADD_TO_HOUR, {"hour_id": target.id, "new_micros": micros, "new_picos": picos})
    connection.execute(DELETE_HOURS, {"hour_ids": [row.id]})
    return True


def _freeze_all(connection: Connection, due: Sequence[RecordTimes], now: datetime) -> None:
    batch = _load_batch(connection, due, now)
    for times in sorted(due, key=lambda times: times.row.hour):
        _freeze(times, batch)
    connection.execute(FREEZE, batch.frozen)
    if batch.remainders:
        rows = [
            {"meter_key": key, "dimension": dimension, "picos": picos}
            for (key, dimension), picos in sorted(batch.remainders.items())
        ]
        connection.execute(UPSERT_REMAINDER, rows)
    batch.allowances.write()


def _load_batch(connection: Connection, due: Sequence[RecordTimes], now: datetime) -> _Batch:
    keys = list({(times.row.meter_key, times.row.dimension) for times in due})
    remainders = {
        (row.meter_key, row.dimension): row.picos for row in connection.execute(SELECT_REMAINDERS, {"keys": keys})
    }
    parts = allocations.load_parts(connection, [times.row.id for times in due])
    begun = [times.row.id for times in due if not times.began_before]
    first_uses = connection.execute(SELECT_FIRST_USE, {"hour_ids": begun}).all() if begun else []
    allowances = Allowances(connection, [times.row for times in due])
    return _Batch(connection, now, remainders, parts, {row.hour_id: row.used_at for row in first_uses}, allowances)


def _freeze(times: RecordTimes, batch: _Batch) -> None:
    row, rules = times.row, products.usage_rules(times.row.product_code)
    key = (row.meter_key, row.dimension)
    used = quantity.join(row.micros, row.picos)
    included = batch.allowances.take(row, used)
    total = used - included + batch.remainders.get(key, 0)
    unit = quantity.PICOS_PER_UNIT if rules.unit == "whole" else quantity.PICOS_PER_MICRO
    whole = min(max(total // unit, 0), quantity.MAX_PICOS // unit)
    if total > whole * unit and rules.last_remainder == "up" and _is_last(times, batch):
        # The rest is then below zero: what was billed too much counts for an earlier hour whose items come later.
        whole += 1
    billed = whole * unit
    if total != billed or key in batch.remainders:
        batch.remainders[key] = total - billed
    timestamp = times.timestamp(batch.first_uses.get(row.id))
    batch.frozen.append(
        {
            "hour_id": row.id,
            "new_state": "frozen",
            "new_quantity": billed // quantity.PICOS_PER_MICRO,
            "new_included": included // quantity.PICOS_PER_MICRO or None,
            "new_allocations": allocations.build(batch.parts.get(row.id, []), billed, unit),
            "new_timestamp": timestamp,
            "new_due_at": times.queued_at(timestamp),
            "new_frozen_at": batch.now,
        }
    )


def _is_last(times: RecordTimes, batch: _Batch) -> bool:
    """Return whether no other hour of the license comes after it."""
    if times.ended_at is None:
        return False
    names = {"of_key": times.row.meter_key, "of_dimension": times.row.dimension, "after": times.row.hour}
    return batch.connection.execute(SELECT_LATER_OPEN, names).first() is None
