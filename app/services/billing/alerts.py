"""Settling hours that are not billed: the seller reads of it in the log and a mail, the product in a hand-off.

The order of locks is that of a merge: the subscriptions, their hours, and last the product's mail.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, Uuid, bindparam, select, tuple_, update

from app.config import products
from app.database.rows import MIN_ID, MIN_TIME
from app.database.transactions import after_commit, transaction
from app.models import UsageHour, UsageItem, UtcDateTime
from app.models.usage import IS_UNSENT
from app.services.billing import journal
from app.services.metering import clock, hours, quantity
from app.services.outbox import announce, usage_mails
from app.services.outbox.payload import UnbilledHour
from app.services.outbox.usage_mails import UsageProblem

log = structlog.get_logger()

# Of an hour's items, a hand-off names so many.
MAX_ITEMS = 100
# An hour, as the caller read it; the state in which it is settled; and why.
Verdict = tuple[Row[Any], str, str]
HOURS: Any = UsageHour.__table__
SETTLE = (
    update(HOURS)
    .where(HOURS.c.id == bindparam("hour_id"))
    .values(
        state=bindparam("new_state"),
        code=bindparam("new_code"),
        due_at=None,
        settled_at=bindparam("now", type_=UtcDateTime),
    )
)
OVERDUE_BATCH = 500
AFTER = tuple_(bindparam("after_hour", type_=UtcDateTime), bindparam("after_id", type_=Uuid))
SELECT_UNSENT = (
    select(HOURS)
    .where(IS_UNSENT, HOURS.c.alarmed_at.is_(None), HOURS.c.hour <= bindparam("latest", type_=UtcDateTime))
    .where(tuple_(HOURS.c.hour, HOURS.c.id) > AFTER)
    .order_by(HOURS.c.hour, HOURS.c.id)
    .limit(OVERDUE_BATCH)
    .with_for_update(skip_locked=True)
)
ALARM = update(HOURS).where(HOURS.c.id == bindparam("hour_id")).values(alarmed_at=bindparam("now", type_=UtcDateTime))
SELECT_ITEM_IDS = select(UsageItem.item_id).where(UsageItem.hour_id == bindparam("of_hour")).limit(MAX_ITEMS)


def settle(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """Settle the hours as conflict, refused or expired, unless they are settled; let the seller and the product know.

    A caller that has locked the hours has locked their subscriptions before.
    """
    if not verdicts:
        return
    now = clock.now()
    reasons = {row.id: (state, code) for row, state, code in verdicts}
    rows = journal.lock_unsettled(connection, reasons, with_subscriptions=True)
    if not rows:
        return
    settled = [(row, *reasons[row.id]) for row in rows]
    values = [{"hour_id": row.id, "new_state": state, "new_code": code, "now": now} for row, state, code in settled]
    connection.execute(SETTLE, values)
    for row, state, code in settled:
        after_commit(log.error, f"usage.{state}", code=code, **_names(row))
    _announce(connection, settled)
    _enqueue_mails(connection, [(row.product_code, UsageProblem(state, row.id)) for row, state, _ in settled])


settle_alone = transaction(settle)


def report_setup(product_code: str, fault: str, code: str) -> None:
    """Log that AWS takes none of the product's usage until the seller mends the set-up; a mail says it once a day."""
    log.error("usage.not_sent", fault=fault, code=code, product=product_code)
    _enqueue_setup(product_code, fault, code)


_enqueue_setup = transaction(usage_mails.enqueue_setup)


def report_overdue() -> None:
    """Report the hours that are unsent for half of their time: each once, in the log and in a mail."""
    last: tuple[datetime, UUID] | None = (MIN_TIME, MIN_ID)
    while last:
        last = _report_overdue_after(*last)


@transaction
def _report_overdue_after(connection: Connection, hour: datetime, hour_id: UUID) -> tuple[datetime, UUID] | None:
    """Report those of the next hours, and return the last of these; None where there are no more."""
    now = clock.now()
    names = {"latest": _latest_overdue(now), "after_hour": hour, "after_id": hour_id}
    candidates = connection.execute(SELECT_UNSENT, names).all()
    overdue = [row for row in candidates if now - row.frozen_at >= (hours.deadline(row.timestamp) - row.frozen_at) / 2]
    if overdue:
        connection.execute(ALARM, [{"hour_id": row.id, "now": now} for row in overdue])
    for row in overdue:
        after_commit(log.error, "usage.overdue", code=row.code, **_names(row))
    _enqueue_mails(connection, [(row.product_code, UsageProblem("overdue", row.id)) for row in overdue])
    return (candidates[-1].hour, candidates[-1].id) if len(candidates) == OVERDUE_BATCH else None


def _latest_overdue(now: datetime) -> datetime:
    """Return the latest hour that can be unsent for half of its time.

    It is frozen at its start at the earliest, and AWS takes it for a day; the month's last hours for less.
    """
    month = hours.month_of(now)
    if now < month + hours.MONTH_CLOSES_AFTER:
        return month
    return now - (hours.WINDOW - hours.DEADLINE_MARGIN) / 2


def _names(row: Row[Any]) -> dict[str, str]:
    """Return what a log line says of an hour."""
    return {
        "hour": row.hour.isoformat(),
        "usage_hour": str(row.id),
        "subscription": str(row.subscription_id),
        "dimension": row.dimension,
    }


def _announce(connection: Connection, settled: Sequence[Verdict]) -> None:
    by_subscription: dict[UUID, list[UnbilledHour]] = defaultdict(list)
    endpoints = products.current().handoff_endpoints
    for row, state, code in settled:
        item_ids = []
        if row.product_code in endpoints:
            item_ids = sorted(connection.scalars(SELECT_ITEM_IDS, {"of_hour": row.id}))
        unbilled = UnbilledHour.from_row(
            row, quantity=quantity.micros_to_text(row.quantity), state=state, code=code, items=item_ids
        )
        by_subscription[row.subscription_id].append(unbilled)
    for subscription_id, unbilled_hours in by_subscription.items():
        announce.announce_unbilled(connection, subscription_id, unbilled_hours)


def _enqueue_mails(connection: Connection, problems: Sequence[tuple[str, UsageProblem]]) -> None:
    by_product: dict[str, list[UsageProblem]] = defaultdict(list)
    for product_code, problem in problems:
        by_product[product_code].append(problem)
    for product_code in sorted(by_product):
        usage_mails.enqueue_problems(connection, product_code, by_product[product_code])
