"""How far this machine's clock is from the database's, which all machines share."""

import time
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database.transactions import query

SELECT_TIME = select(func.clock_timestamp())


@query
def seconds_ahead(session: Session) -> float:
    """Return how many seconds this machine's clock is ahead of the database's, negative if behind.

    0 on SQLite, which has no clock of its own.
    """
    if session.get_bind().dialect.name == "sqlite":
        return 0
    started_at, started = datetime.now(UTC), time.monotonic()
    database_time: datetime = session.execute(SELECT_TIME).scalar_one()
    # The database read its clock about halfway between.
    halfway = (time.monotonic() - started) / 2
    return (started_at - database_time).total_seconds() + halfway
