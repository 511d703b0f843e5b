"""Settling hours of usage that are not billed, and telling the seller: in the log, by mail, and by a hand-off."""

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, update

from app.database.transactions import after_commit, transaction
from app.models import UsageHour, UtcDateTime
from app.services.billing import journal
from app.services.metering import clock

log = structlog.get_logger()

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


# An hour, as the caller read it; the state in which it is settled; and why.
Verdict = tuple[Row[Any], str, str]


def settle(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """Settle the hours as conflict, refused or expired, unless they are settled; let the seller know."""
    if not verdicts:
        return
    now = clock.now()
    reasons = {row.id: (state, code) for row, state, code in verdicts}
    settled = [(row, *reasons[row.id]) for row in journal.lock_unsettled(connection, reasons, with_subscriptions=True)]
    rows = [{"hour_id": row.id, "new_state": state, "new_code": code, "now": now} for row, state, code in settled]
    if rows:
        connection.execute(SETTLE, rows)
    for row, state, code in settled:
        names = {"usage_hour": str(row.id), "subscription": str(row.subscription_id), "dimension": row.dimension}
        after_commit(log.error, f"usage.{state}", hour=row.hour.isoformat(), code=code, **names)


settle_alone = transaction(settle)


def report_setup(product_code: str, fault: str, code: str) -> None:
    """Log that AWS takes none of the product's usage until the seller mends the set-up."""
    log.error("usage.not_sent", fault=fault, code=code, product=product_code)
