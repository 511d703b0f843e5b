"""Settling hours of usage that are not billed, and telling the seller: in the log, by mail, and by a hand-off."""

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, update

from app.database.transactions import after_commit
from app.models import UsageHour, UtcDateTime
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


def settle(connection: Connection, verdicts: Sequence[tuple[Row[Any], str, str]]) -> None:
    """Settle each hour in a state (conflict, refused or expired) for a reason, and tell the seller."""
    if not verdicts:
        return
    now = clock.now()
    rows = [{"hour_id": row.id, "new_state": state, "new_code": code, "now": now} for row, state, code in verdicts]
    connection.execute(SETTLE, rows)
    for row, state, code in verdicts:
        names = {"usage_hour": str(row.id), "subscription": str(row.subscription_id), "dimension": row.dimension}
        after_commit(log.error, f"usage.{state}", hour=row.hour.isoformat(), code=code, **names)
