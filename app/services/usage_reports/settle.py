"""What an operator decides: to bill a held item now, to send a refused hour again, or never to bill an item or hour.

item of 31 October, received on 1 November, held    --next-hour     billed in the current hour of November
                                                    --write-off     never billed
hour that AWS refused                               --send-again    sent as it is: a refused record was never billed
                                                    --write-off     never billed, and no problem any more
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, Uuid, bindparam, select, update

from app.config import products
from app.database import clock as database_clock
from app.database.transactions import after_commit, transaction
from app.errors import FoyerError
from app.models import UsageHour, UsageItem, UtcDateTime
from app.models.usage import IS_HELD, PENDING_STATES, PROBLEM_STATES
from app.services.metering import accept, clock, licenses, quantity
from app.services.metering.hour_book import HourBook, Placement
from app.services.metering.items import UsageItem as AcceptedItem
from app.services.metering.licenses import License, MeteredSubscription, Target
from app.services.operations import audit
from app.services.operations.audit import AuditRecord
from app.services.usage_reports import details

log = structlog.get_logger()

WRITTEN_OFF, BILLED_LATER, SENT_AGAIN = "usage.written_off", "usage.billed_later", "usage.sent_again"
HOUR_ID = UsageHour.id == bindparam("hour_id", type_=Uuid)
SELECT_HOUR = select(UsageHour.__table__).where(HOUR_ID).with_for_update()
# Why an hour of each other state is not sent again; what was refused was not billed, and is within its time.
NOT_AGAIN = {
    "conflict": "AWS has another quantity for this hour, bills that one, and takes no second one.",
    "expired": "AWS takes the hour no more: it is older than a day, or of a month that is closed.",
    "written-off": "It was decided that the hour is never billed.",
    "billed": "AWS has billed the hour.",
}
PENDING = "The hour is {state}: a worker sends it by itself."
AS_NEW_ITEMS = "To bill its usage, send it as new items, with new ids and a time of now."
WRITE_OFF_HOUR = (
    update(UsageHour)
    .where(HOUR_ID)
    .values(state="written-off", due_at=None, settled_at=bindparam("now", type_=UtcDateTime))
)
SEND_AGAIN = (
    update(UsageHour).where(HOUR_ID).values(state="frozen", due_at=bindparam("now", type_=UtcDateTime), settled_at=None)
)
ROW_ID = UsageItem.id == bindparam("row_id", type_=Uuid)
SELECT_ITEM = select(UsageItem.__table__).where(ROW_ID)
# Two operators may decide at the same moment: the second finds nothing to change.
WRITE_OFF_ITEM = update(UsageItem).where(ROW_ID, IS_HELD).values(written_off_at=bindparam("now", type_=UtcDateTime))
MOVE_ITEM = update(UsageItem).where(ROW_ID, IS_HELD).values(hour_id=bindparam("into", type_=Uuid), is_late=True)


class NotSettled(FoyerError):
    """The decision cannot be carried out. `code` says why, and what to do."""


@transaction
def write_off_hour(connection: Connection, hour_id: UUID, actor: str) -> None:
    """Let an hour that AWS does not bill be no problem any more. Raises NotSettled."""
    hour = connection.execute(SELECT_HOUR, {"hour_id": hour_id}).one()
    if hour.state not in PROBLEM_STATES:
        raise NotSettled(
            f"The hour is {hour.state}. Only one that is in conflict, refused or expired can be written off."
        )
    connection.execute(WRITE_OFF_HOUR, {"hour_id": hour_id, "now": clock.now()})
    _record(connection, WRITTEN_OFF, actor, hour.subscription_id, usage_hour=str(hour_id))


@transaction
def send_again(connection: Connection, hour_id: UUID, actor: str) -> datetime:
    """Let an hour that AWS refused be sent as it was, and return until when AWS takes it. Raises NotSettled."""
    hour = connection.execute(SELECT_HOUR, {"hour_id": hour_id}).one()
    if hour.state in PENDING_STATES:
        raise NotSettled(PENDING.format(state=hour.state))
    if hour.state != "refused":
        advice = f" {AS_NEW_ITEMS}" if hour.state in PROBLEM_STATES else ""
        raise NotSettled(f"{NOT_AGAIN[hour.state]}{advice}")
    deadline, now = details.find_deadline(connection, dict(hour._mapping)), clock.now()
    if now >= deadline:
        raise NotSettled(f"AWS has not taken the hour since {deadline:%Y-%m-%d %H:%M} UTC. {AS_NEW_ITEMS}")
    connection.execute(SEND_AGAIN, {"hour_id": hour_id, "now": now})
    _record(connection, SENT_AGAIN, actor, hour.subscription_id, usage_hour=str(hour_id))
    return deadline


@transaction
def write_off_item(connection: Connection, row_id: UUID, actor: str) -> None:
    """Let a held item never be billed. Raises NotSettled."""
    item = connection.execute(SELECT_ITEM, {"row_id": row_id}).one()
    if not connection.execute(WRITE_OFF_ITEM, {"row_id": row_id, "now": clock.now()}).rowcount:
        raise _not_held(item)
    _record(connection, WRITTEN_OFF, actor, item.subscription_id, usage_item=item.item_id)


@transaction
def bill_item_now(connection: Connection, row_id: UUID, actor: str) -> datetime:
    """Put a held item into the hour that runs now, also of a later month; return that hour. Raises NotSettled.

    It is billed on the license that was in force when it was used, as all usage is.
    """
    item = connection.execute(SELECT_ITEM, {"row_id": row_id}).one()
    if item.hour_id or item.written_off_at:
        raise _not_held(item)
    slot = _place(connection, item)
    if not connection.execute(MOVE_ITEM, {"row_id": row_id, "into": slot.id}).rowcount:
        raise _not_held(item)
    _record(connection, BILLED_LATER, actor, item.subscription_id, usage_item=item.item_id, usage_hour=str(slot.id))
    hour: datetime = slot.hour
    return hour


def _place(connection: Connection, item: Row[Any]) -> Row[Any]:
    """Add the item to the hour that takes usage of now, and return that hour."""
    now = clock.now()
    # Locked, as where items are accepted: it must not end, or get another license, meanwhile.
    name = str(item.subscription_id)
    subscription = licenses.find_targets(connection, [name], lock=True)[name].subscription
    license_ = subscription.license_at(item.used_at)
    until, ended_at = subscription.takes_usage_until(license_), subscription.ended_at(license_)
    if until and now >= until:
        raise _too_late(subscription, license_, until)
    at = min(now, ended_at) if ended_at else now
    tags = tuple(sorted((item.tags or {}).items()))
    used = AcceptedItem(item.item_id, name, item.dimension, quantity.join(item.micros, item.picos), at, tags)
    rules = products.usage_rules(subscription.product_code)
    placement = Placement(0, used, Target(subscription), license_, at, rules)
    accept.keep_product_code_hours(connection, [placement])
    book = HourBook(connection, now)
    book.lock([placement])
    book.prepare([placement])
    if problem := book.place(placement):
        raise NotSettled(problem.detail or "")
    if placement.slot is None:
        raise NotSettled("The hour that runs now takes no more items. Try again in the next hour.")
    book.rows.write()
    slot: Row[Any] = placement.slot.row
    return slot


def _too_late(subscription: MeteredSubscription, license_: License, until: datetime) -> NotSettled:
    since = f"since {until:%Y-%m-%d %H:%M} UTC"
    if license_ == subscription.licenses[-1]:
        return NotSettled(f"AWS has taken no usage of the subscription {since}. Write it off.")
    return NotSettled(
        f"It was used under the license {license_.key}, which was renewed: AWS has taken no usage of it {since}, and "
        "the present license is another agreement. Write it off, and invoice it yourself."
    )


def _not_held(item: Row[Any]) -> NotSettled:
    what = "written off already" if item.written_off_at else "not held: it is in an hour, or was settled meanwhile"
    return NotSettled(f"The item is {what}. See: foyer usage show {item.item_id}")


def _record(connection: Connection, action: str, actor: str, subscription_id: UUID, **names: str) -> None:
    entry = AuditRecord(database_clock.now(), action, actor, subscription_id=subscription_id)
    audit.record(connection, [entry])
    after_commit(log.info, action, actor=actor, subscription=str(subscription_id), **names)
