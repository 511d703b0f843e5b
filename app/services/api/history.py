"""The numbers of changes, as an operator sees them: whether they are this server's, and what holds the feed up."""

from uuid import uuid4

from sqlalchemy import Connection, func, select, text, update

from app.database import clock
from app.database.transactions import query
from app.models import Feed, Subscription
from app.models.purchases import NEXT_NUMBER
from app.services.api import feed

# On PostgreSQL, no transaction of this server has had a number from here on.
SELECT_NEXT_NUMBER = text("SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)")
SELECT_LAST_NUMBER = select(func.coalesce(func.max(Subscription.change_number), 0))
SELECT_OLDEST = select(func.min(Subscription.changed_at))


@query
def is_of_another_server(connection: Connection) -> bool:
    """Return whether the changes were numbered on another server of PostgreSQL, from which a dump was restored."""
    if feed.is_counted(connection):
        return False
    last_number: int = connection.execute(SELECT_LAST_NUMBER).scalar_one()
    next_number: int = connection.execute(SELECT_NEXT_NUMBER).scalar_one()
    return last_number >= next_number


def restart(connection: Connection) -> None:
    """Number all subscriptions anew, and let all readers of the feed begin again, with whatever cursor they have."""
    connection.execute(update(Feed).values(epoch=uuid4()))
    connection.execute(update(Subscription).values(change_number=NEXT_NUMBER))


@query
def seconds_held_up(connection: Connection) -> float:
    """Return for how long the feed has not told of a change that is committed; 0 if it told of all.

    On PostgreSQL, an open transaction that has written holds it up, in whatever database of the server.
    """
    _, end = feed.epoch_and_end(connection)
    oldest = connection.scalar(SELECT_OLDEST.where(Subscription.change_number >= end))
    return max((clock.now() - oldest).total_seconds(), 0) if oldest else 0
