"""Deletes what billing needs no more: calls of long ago, and the tags of usage of customers who were erased.

The tags are the one part of usage that may name a person. They are erased once AWS has them, or never will, and from
items that are held for long. The hour keeps its quantity, and loses its parts by tags.

    item of 09:50, billed in hour 9, or late in hour 11     erased with the person at 10:30, once the hour is settled
    item of 10:40                                           another person's: it stays
    item of 09:50 that is held                              erased when it is written off, or after 35 days
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Uuid, bindparam, delete, exists, func, select, update

from app.database import clock as database_clock
from app.database.transactions import after_commit, query, transaction, wait_for_operator
from app.models import AuditEntry, UsageAttempt, UsageHour, UsageItem, UtcDateTime
from app.models.usage import SETTLED_STATES
from app.services.metering import clock
from app.services.operations.audit import REGISTRATION_ERASED

log = structlog.get_logger()

# As long as CloudTrail's event history has the calls.
CALLS_KEPT = timedelta(days=90)
# Longer than AWS takes usage, so that all that was used before an erasure is settled within it.
LOOKED_BACK = timedelta(days=35)
# Rows of one transaction: it must not hold up SQLite's only writer.
BATCH_ROWS = 500
HOURS: Any = UsageHour.__table__
ITEMS: Any = UsageItem.__table__
OLD_CALLS = (
    select(UsageAttempt.id)
    .where(UsageAttempt.started_at < bindparam("cutoff", type_=UtcDateTime))
    .order_by(UsageAttempt.started_at)
    .limit(BATCH_ROWS)
)
DELETE_CALLS = delete(UsageAttempt).where(UsageAttempt.id.in_(OLD_CALLS))
SELECT_ERASED = (
    select(AuditEntry.subscription_id, func.max(AuditEntry.at).label("at"))
    .where(AuditEntry.id >= bindparam("since_id", type_=Uuid), AuditEntry.action == REGISTRATION_ERASED)
    .where(AuditEntry.subscription_id.is_not(None))
    .group_by(AuditEntry.subscription_id)
)
OF_SUBSCRIPTION = bindparam("of_subscription", type_=Uuid)
LATEST = bindparam("latest", type_=UtcDateTime)
TAGGED_ITEMS = select(ITEMS.c.id).where(ITEMS.c.tags.is_not(None))
# Only hours with tagged items have parts. A later hour may have late items from before.
SELECT_TAGGED = select(HOURS.c.id).where(
    HOURS.c.subscription_id == OF_SUBSCRIPTION,
    HOURS.c.state.in_(SETTLED_STATES),
    HOURS.c.allocations.is_not(None),
    (HOURS.c.hour <= LATEST)
    | exists(TAGGED_ITEMS.where(ITEMS.c.hour_id == HOURS.c.id, ITEMS.c.is_late, ITEMS.c.used_at <= LATEST)),
)
ITEMS_OF_HOUR = TAGGED_ITEMS.where(
    ITEMS.c.hour_id == bindparam("of_hour", type_=Uuid), ITEMS.c.used_at <= LATEST
).limit(BATCH_ROWS)
ERASE_TAGS_OF_HOUR = update(ITEMS).where(ITEMS.c.id.in_(ITEMS_OF_HOUR)).values(tags=None)
# They are few, and are found whenever the person was erased.
IN_NO_HOUR = (
    TAGGED_ITEMS.join(AuditEntry, AuditEntry.subscription_id == ITEMS.c.subscription_id)
    .where(ITEMS.c.hour_id.is_(None), AuditEntry.action == REGISTRATION_ERASED, AuditEntry.at >= ITEMS.c.used_at)
    .where(ITEMS.c.written_off_at.is_not(None) | (AuditEntry.at < bindparam("cutoff", type_=UtcDateTime)))
    .limit(BATCH_ROWS)
)
ERASE_TAGS_IN_NO_HOUR = update(ITEMS).where(ITEMS.c.id.in_(IN_NO_HOUR)).values(tags=None)
ERASE_PARTS = update(HOURS).where(HOURS.c.id == bindparam("hour_id", type_=Uuid)).values(allocations=None)


def purge() -> None:
    """Delete old calls, and the tags of erased customers' usage that is settled."""
    cutoff = clock.now() - CALLS_KEPT
    while _delete_calls(cutoff) == BATCH_ROWS:
        pass
    erase_tags()


def erase_tags() -> None:
    """Erase the tags of usage before an erasure, for the customers that were erased lately.

    What is not settled yet is erased by a later run.
    """
    while _erase_in_no_hour():
        pass
    for subscription_id, erased_at in _find_erased():
        for hour_id in _find_tagged(subscription_id, erased_at):
            while not _erase_hour(hour_id, erased_at):
                pass


@transaction
def _delete_calls(connection: Connection, cutoff: datetime) -> int:
    return connection.execute(DELETE_CALLS, {"cutoff": cutoff}).rowcount


@query
def _find_erased(connection: Connection) -> Sequence[tuple[UUID, datetime]]:
    since = database_clock.now() - LOOKED_BACK
    # Ids begin with the time at which they were made, in milliseconds.
    since_id = UUID(int=int(since.timestamp() * 1000) << 80)
    return [(row.subscription_id, row.at) for row in connection.execute(SELECT_ERASED, {"since_id": since_id})]


@query
def _find_tagged(connection: Connection, subscription_id: UUID, latest: datetime) -> Sequence[UUID]:
    wait_for_operator(connection)
    return connection.scalars(SELECT_TAGGED, {"of_subscription": subscription_id, "latest": latest}).all()


@transaction
def _erase_in_no_hour(connection: Connection) -> int:
    return connection.execute(ERASE_TAGS_IN_NO_HOUR, {"cutoff": database_clock.now() - LOOKED_BACK}).rowcount


@transaction
def _erase_hour(connection: Connection, hour_id: UUID, latest: datetime) -> bool:
    """Erase the tags of the hour's next items until then, and return whether that were all."""
    if connection.execute(ERASE_TAGS_OF_HOUR, {"of_hour": hour_id, "latest": latest}).rowcount == BATCH_ROWS:
        return False
    connection.execute(ERASE_PARTS, {"hour_id": hour_id})
    after_commit(log.info, "usage.tags_erased", usage_hour=str(hour_id))
    return True
