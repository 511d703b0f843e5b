"""The journal: hours that are due are claimed, and the call is stored, before AWS is called.

A claim is a lease (see app.database.leases): while a call is under way, `due_at` is the end of its lease. If the worker
dies, another sends the same records again after that. `unread_tries` then says that AWS may have billed them already.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from uuid_utils.compat import uuid7

from app.aws import meter_usage
from app.aws.meter_usage import IDENTITY_CODES, NOT_SUBSCRIBED, Allocation, UsageRecord
from app.database.transactions import transaction
from app.models import UsageAttempt, UsageHour, UtcDateTime
from app.services.billing import alerts
from app.services.metering import clock, hours, quantity

# Longer than a call takes at the most.
LEASE = timedelta(minutes=2)
SENDABLE = ("frozen", "sent")
# Answers that are waited out until then.
LASTING_CODES = {NOT_SUBSCRIBED, *IDENTITY_CODES}
OUT_OF_BOUNDS = "TimestampOutOfBounds"
HOURS: Any = UsageHour.__table__
IS_DUE = HOURS.c.state.in_(SENDABLE) & (HOURS.c.due_at <= bindparam("now", type_=UtcDateTime))
SELECT_FIRST_DUE = select(HOURS.c.product_code, HOURS.c.license_arn).where(IS_DUE).order_by(HOURS.c.due_at).limit(1)
OF_PRODUCT = IS_DUE & (HOURS.c.product_code == bindparam("of_product"))
# The oldest first: its deadline is the next. Two forms never share a call.
OLDEST_FIRST = select(HOURS).order_by(HOURS.c.hour, HOURS.c.id).limit(meter_usage.MAX_RECORDS)
CLAIMED = OLDEST_FIRST.with_for_update(skip_locked=True)
SELECT_LICENSED = CLAIMED.where(OF_PRODUCT, HOURS.c.license_arn.is_not(None))
SELECT_BY_PRODUCT_CODE = CLAIMED.where(OF_PRODUCT, HOURS.c.license_arn.is_(None))
LEASE_HOUR = (
    update(HOURS)
    .where(HOURS.c.id == bindparam("hour_id"))
    .values(
        state="sent",
        due_at=bindparam("lease_until", type_=UtcDateTime),
        tries=HOURS.c.tries + 1,
        unread_tries=HOURS.c.unread_tries + 1,
    )
)
INSERT_ATTEMPT = insert(UsageAttempt)


@dataclass(frozen=True)
class Attempt:
    """One call that is about to be made, for these hours in the order of the records."""

    id: UUID
    product_code: str
    parameters: dict[str, Any]
    hours: tuple[Row[Any], ...]


@transaction
def claim_next(connection: Connection) -> Attempt | None:
    """Claim hours of one product that are due, as many as fit into a call; None where none is.

    An hour that AWS takes no more is settled as expired.
    """
    now = clock.now()
    first = connection.execute(SELECT_FIRST_DUE, {"now": now}).first()
    if first is None:
        return None
    statement = SELECT_LICENSED if first.license_arn else SELECT_BY_PRODUCT_CODE
    rows = connection.execute(statement, {"now": now, "of_product": first.product_code}).all()
    in_time = [row for row in rows if now < hours.deadline(row.timestamp)]
    expired = [row for row in rows if row not in in_time]
    alerts.settle(connection, [_overdue_verdict(row) for row in expired])
    return _store(connection, _that_fit(in_time), now) if in_time else Attempt(uuid7(), first.product_code, {}, ())


def _overdue_verdict(row: Row[Any]) -> tuple[Row[Any], str, str]:
    """Return the verdict on an hour that AWS takes no more: its last answer decides whether AWS refused it."""
    return (row, "refused", row.code) if row.code in LASTING_CODES else (row, "expired", row.code or OUT_OF_BOUNDS)


@transaction
def store_again(connection: Connection, rows: Sequence[Row[Any]]) -> Attempt:
    """Store a call for some of the hours of one that AWS refused: it processed none of them."""
    return _store(connection, rows, clock.now())


def _store(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> Attempt:
    first = rows[0]
    records = [build_record(row) for row in rows]
    parameters = meter_usage.build_parameters(None if first.license_arn else first.product_code, records)
    attempt = Attempt(uuid7(), first.product_code, parameters, tuple(rows))
    row = {
        "id": attempt.id,
        "product_code": attempt.product_code,
        "hour_ids": [str(hour.id) for hour in rows],
        "body": parameters,
        "started_at": now,
    }
    connection.execute(INSERT_ATTEMPT, row)
    connection.execute(LEASE_HOUR, [{"hour_id": hour.id, "lease_until": now + LEASE} for hour in rows])
    return attempt


def build_record(row: Row[Any]) -> UsageRecord:
    """Return what AWS is sent for a frozen hour: the same each time."""
    return UsageRecord(
        row.timestamp,
        row.dimension,
        quantity.micros_to_text(row.quantity),
        row.license_arn,
        row.customer_aws_account_id,
        row.customer_identifier,
        tuple(_build_allocation(part) for part in row.allocations or ()),
    )


def _build_allocation(part: dict[str, Any]) -> Allocation:
    tags = json.loads(part["tags"]) if part["tags"] else {}
    return Allocation(quantity.micros_to_text(part["micros"]), tuple(sorted(tags.items())))


def _that_fit(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Return the first of the hours whose records fit into one call, at least one."""
    fitting: list[Row[Any]] = []
    size = 1000  # the keys around the records
    for row in rows:
        wire = meter_usage.build_parameters(row.product_code, [build_record(row)])
        size += len(json.dumps(wire))
        if fitting and size > meter_usage.MAX_BODY_BYTES:
            break
        fitting.append(row)
    return fitting
