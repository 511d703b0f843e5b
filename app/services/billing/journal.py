"""The journal: hours that are due are claimed, and the call is stored, before AWS is called.

A claim is a lease (see app.database.leases): while a call is under way, `due_at` is the end of its lease. If the worker
dies, another sends the same records again after that. `unread_tries` then says that AWS may have billed them already.
`tries`, which each claim raises, says whose the lease is.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, String, Uuid, bindparam, insert, select, update
from uuid_utils.compat import uuid7

from app.aws import meter_usage
from app.aws.meter_usage import Allocation, UsageRecord
from app.database.transactions import transaction
from app.models import Subscription, UsageAttempt, UsageHour, UtcDateTime
from app.models.usage import IS_UNSENT, UNSENT_STATES
from app.services.metering import clock, hours, quantity, tag_limits

# Longer than a call takes at the most.
LEASE = timedelta(minutes=2)
HOURS: Any = UsageHour.__table__
HOUR_IDS = bindparam("hour_ids", type_=Uuid, expanding=True)
# One state at a time, and in the order of an index: where many hours are due, none is looked at twice.
BY_DUE_TIME = (
    select(HOURS)
    .where(HOURS.c.state == bindparam("of_state"), HOURS.c.due_at <= bindparam("now", type_=UtcDateTime))
    .where(HOURS.c.product_code.not_in(bindparam("paused", type_=String, expanding=True)))
    .order_by(HOURS.c.due_at)
)
SELECT_FIRST_DUE = BY_DUE_TIME.with_only_columns(HOURS.c.product_code, HOURS.c.license_arn).limit(1)
OF_PRODUCT = BY_DUE_TIME.where(HOURS.c.product_code == bindparam("of_product"))
CLAIMED = OF_PRODUCT.limit(meter_usage.MAX_RECORDS).with_for_update(skip_locked=True)
# Two forms never share a call.
SELECT_LICENSED = CLAIMED.where(HOURS.c.license_arn.is_not(None))
SELECT_BY_PRODUCT_CODE = CLAIMED.where(HOURS.c.license_arn.is_(None))
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
# All lock hours in this order: two transactions that lock several must not wait for each other.
LOCK_UNSETTLED = select(HOURS).where(HOURS.c.id.in_(HOUR_IDS), IS_UNSENT).order_by(HOURS.c.id).with_for_update()
LOCK_SUBSCRIPTIONS = (
    select(Subscription.id)
    .where(Subscription.id.in_(select(HOURS.c.subscription_id).where(HOURS.c.id.in_(HOUR_IDS))))
    .order_by(Subscription.id)
    .with_for_update(key_share=True)
)


@dataclass(frozen=True)
class Attempt:
    """One call that is about to be made, for these hours, as they were before, in the order of the records.

    `overdue` are hours that AWS takes no more: they are not in the call, and still to be settled.
    """

    id: UUID
    product_code: str
    parameters: dict[str, Any]
    hours: tuple[Row[Any], ...]
    overdue: tuple[Row[Any], ...] = ()


@transaction
def claim_next(connection: Connection, paused: Collection[str] = (), failing: Collection[str] = ()) -> Attempt | None:
    """Claim hours of one product that are due, as many as fit into a call; None where none is.

    Of the products `paused` none is claimed, and of those `failing` one. An hour that AWS takes no more is not claimed:
    the call has none where all are such.
    """
    names = {"now": clock.now(), "paused": list(paused)}
    # Those whose call was not answered come first: they are the oldest.
    for state in reversed(UNSENT_STATES):
        if first := connection.execute(SELECT_FIRST_DUE, {**names, "of_state": state}).first():
            statement = SELECT_LICENSED if first.license_arn else SELECT_BY_PRODUCT_CODE
            of_product = {**names, "of_state": state, "of_product": first.product_code}
            rows = connection.execute(statement, of_product).all()
            return _claim(connection, first.product_code, rows[:1] if first.product_code in failing else rows)
    return None


def _claim(connection: Connection, product_code: str, rows: Sequence[Row[Any]]) -> Attempt:
    now = clock.now()
    overdue = tuple(row for row in rows if now >= hours.deadline(row.timestamp))
    in_time = [row for row in rows if row not in overdue]
    attempt = _store(connection, _that_fit(in_time), now) if in_time else Attempt(uuid7(), product_code, {}, ())
    return replace(attempt, overdue=overdue)


def lock_unsettled(
    connection: Connection, hour_ids: Collection[UUID], *, with_subscriptions: bool = False
) -> Sequence[Row[Any]]:
    """Lock those of the hours that are not settled, and return them: another worker may have settled some.

    Lock their subscriptions first where you change these, too: a merge locks in that order, and would deadlock.
    """
    if with_subscriptions:
        connection.execute(LOCK_SUBSCRIPTIONS, {"hour_ids": list(hour_ids)})
    return connection.execute(LOCK_UNSETTLED, {"hour_ids": list(hour_ids)}).all()


@transaction
def store_again(connection: Connection, rows: Sequence[Row[Any]]) -> Attempt | None:
    """Store a call for some of the hours of one that AWS refused: it processed none of them.

    Without those that another worker has claimed or settled, since the lease was over; None where these are all.
    """
    tries = {row.id: row.tries + 1 for row in rows}
    mine = [row for row in lock_unsettled(connection, tries) if row.tries == tries[row.id]]
    return _store(connection, mine, clock.now()) if mine else None


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
    return Allocation(quantity.micros_to_text(part["micros"]), tag_limits.read(part["tags"]) if part["tags"] else ())


def _that_fit(rows: Iterable[Row[Any]]) -> list[Row[Any]]:
    """Return the first of the hours whose records fit into one call, at least one."""
    fitting: list[Row[Any]] = []
    size = 1000  # the keys around the records
    for row in rows:
        size += _size(row)
        if fitting and size > meter_usage.MAX_BODY_BYTES:
            break
        fitting.append(row)
    return fitting


def _size(row: Row[Any]) -> int:
    """Return at least how many bytes the hour's record has."""
    if not row.allocations:
        return 2000
    return len(json.dumps(meter_usage.build_parameters(row.product_code, [build_record(row)])))
