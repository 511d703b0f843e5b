"""Freezing: an hour's quantity is fixed, once, from the items that it has by then; later ones are late.

The quantity is rounded down to what AWS takes: six decimals, or whole units where the product is metered by those. The
rest goes to the next hour of the license, so that the sum is right:

    whole units, 0.6 an hour    hour 10: 0, rest 0.6    hour 11: 1, rest 0.2    hour 12: 0, rest 0.8
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, String, Uuid, bindparam, cast, func, select, text, tuple_, update

from app.config import products
from app.database.transactions import after_commit, transaction
from app.models import UsageHour, UsageItem, UsageRemainder, UtcDateTime
from app.services.metering import clock, hours, licenses, quantity
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
            for name in ("state", "quantity", "allocations", "timestamp", "due_at", "frozen_at")
        }
    )
)
RESCHEDULE = (
    update(HOURS).where(HOURS.c.id == bindparam("hour_id")).values(due_at=bindparam("later", type_=UtcDateTime))
)


# Until the end of the transaction, so that it works through every pooler. Any number that nothing else locks.
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
FREEZER_LOCK = 0x466F796572


@dataclass
class _Batch:
    """What the hours of one transaction need to know."""

    connection: Connection
    now: datetime
    subscriptions: dict[UUID, MeteredSubscription]
    remainders: dict[tuple[str, str], int]
    parts: dict[UUID, list[tuple[str, int]]]
    frozen: list[dict[str, Any]] = field(default_factory=list)
    rescheduled: list[dict[str, Any]] = field(default_factory=list)


@transaction
def freeze_due(connection: Connection) -> bool | None:
    """Freeze the hours whose time has come; return True where there may be more, None where there are none."""
    now = clock.now()
    if not is_only_freezer(connection):
        return None
    rows = connection.execute(SELECT_DUE, {"now": now}).all()
    if not rows:
        return None
    batch = _load_batch(connection, rows, now)
    due = []
    for row in rows:
        later = _final_time(row, batch)
        if later and later > now:
            batch.rescheduled.append({"hour_id": row.id, "later": later})
        else:
            due.append(row)
    first_uses = _first_uses(connection, [row for row in due if not _began_before(row, batch)])
    for row in sorted(due, key=lambda row: row.hour):
        _freeze(row, batch, first_uses.get(row.id))
    _write(batch)
    after_commit(log.info, "usage.frozen", hours=len(batch.frozen))
    return True if len(rows) == BATCH_SIZE else None


def is_only_freezer(connection: Connection) -> bool:
    """Return whether no other transaction freezes hours: of two, one would lose a remainder that the other changes."""
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.execute(TRY_LOCK, {"key": FREEZER_LOCK}).scalar_one())


def _load_batch(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> _Batch:
    subscriptions = licenses.find_by_ids(connection, {row.subscription_id for row in rows})
    keys = list({(row.meter_key, row.dimension) for row in rows})
    remainders = {
        (row.meter_key, row.dimension): row.picos for row in connection.execute(SELECT_REMAINDERS, {"keys": keys})
    }
    parts = defaultdict(list)
    for row in connection.execute(SELECT_SUMS_BY_TAGS, {"hour_ids": [row.id for row in rows]}):
        parts[row.hour_id].append((row.tags_text, quantity.join(int(row.micros), int(row.picos))))
    return _Batch(connection, now, subscriptions, remainders, parts)


def _final_time(row: Row[Any], batch: _Batch) -> datetime | None:
    """Return until when an hour that is due still takes items; None where it does no longer.

    The hour in which a license ended is open until the last hour for sending is nearly over.
    """
    ended_at = _ended_at(row, batch)
    if ended_at and hours.hour_of(ended_at) == row.hour:
        return hours.final_freeze_time(ended_at)
    if batch.now >= row.hour + hours.HOUR:
        return None
    # It became due because of an end that is none any more.
    return hours.freeze_time(row.hour, products.usage_rules(row.product_code).grace, batch.now)


def _ended_at(row: Row[Any], batch: _Batch) -> datetime | None:
    subscription = batch.subscriptions[row.subscription_id]
    return subscription.ended_at(subscription.license_by_key(row.meter_key))


def _began_before(row: Row[Any], batch: _Batch) -> bool:
    """Return whether the license was in force when the hour began; otherwise its record has a later time."""
    subscription = batch.subscriptions[row.subscription_id]
    started_at = subscription.license_by_key(row.meter_key).started_at
    return bool(min(filter(None, (started_at, subscription.created_at))) <= row.hour)


def _first_uses(connection: Connection, rows: Sequence[Row[Any]]) -> dict[UUID, datetime]:
    if not rows:
        return {}
    found = connection.execute(SELECT_FIRST_USE, {"hour_ids": [row.id for row in rows]})
    return {row.hour_id: row.used_at for row in found}


def _freeze(row: Row[Any], batch: _Batch, first_use: datetime | None) -> None:
    key = (row.meter_key, row.dimension)
    total = quantity.join(row.micros, row.picos) + batch.remainders.get(key, 0)
    rules = products.usage_rules(row.product_code)
    unit = quantity.PICOS_PER_UNIT if rules.unit == "whole" else quantity.PICOS_PER_MICRO
    whole, rest = divmod(total, unit)
    if rest and _is_last(row, batch):
        whole, rest = whole + (rules.last_remainder == "up"), 0
    if rest or key in batch.remainders:
        batch.remainders[key] = rest
    billed = whole * unit
    batch.frozen.append(
        {
            "hour_id": row.id,
            "new_state": "frozen",
            "new_quantity": billed // quantity.PICOS_PER_MICRO,
            "new_allocations": _allocations(batch.parts.get(row.id, []), billed, unit),
            "new_timestamp": _timestamp(row, batch, first_use),
            "new_due_at": batch.now,
            "new_frozen_at": batch.now,
        }
    )


def _is_last(row: Row[Any], batch: _Batch) -> bool:
    """Return whether no other hour of the license comes after it."""
    if _ended_at(row, batch) is None:
        return False
    names = {"of_key": row.meter_key, "of_dimension": row.dimension, "after": row.hour}
    return batch.connection.execute(SELECT_LATER_OPEN, names).first() is None


def _allocations(parts: Iterable[tuple[str, int]], billed: int, unit: int) -> list[dict[str, Any]] | None:
    """Return the parts by tags, each rounded down, and the rest without tags; None where no item had tags."""
    rounded = [(tags, picos // unit * unit) for tags, picos in parts]
    if not rounded:
        return None
    rest = billed - sum(picos for _, picos in rounded)
    by_tags = [{"tags": tags, "micros": picos // quantity.PICOS_PER_MICRO} for tags, picos in rounded if picos]
    return by_tags + ([{"tags": None, "micros": rest // quantity.PICOS_PER_MICRO}] if rest or not by_tags else [])


def _timestamp(row: Row[Any], batch: _Batch, first_use: datetime | None) -> datetime:
    """Return the hour's start or, where the license came into force later, a time within both."""
    if first_use is None:
        at: datetime = row.hour
    else:
        started_at = batch.subscriptions[row.subscription_id].license_by_key(row.meter_key).started_at
        at = min(max(first_use, started_at or first_use, row.hour), row.hour + hours.HOUR)
    ended_at = _ended_at(row, batch)
    return min(at, ended_at) if ended_at else at


def _write(batch: _Batch) -> None:
    connection = batch.connection
    if batch.rescheduled:
        connection.execute(RESCHEDULE, batch.rescheduled)
    if batch.frozen:
        connection.execute(FREEZE, batch.frozen)
    if batch.remainders:
        rows = [
            {"meter_key": key, "dimension": dimension, "picos": picos}
            for (key, dimension), picos in sorted(batch.remainders.items())
        ]
        connection.execute(UPSERT_REMAINDER, rows)
