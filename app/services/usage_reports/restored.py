"""What a restored backup means for usage: which hours AWS may have billed since, and what the operator has to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from app.config import products
from app.database.transactions import query, wait_for_operator
from app.models import UsageHour, UsageItem
from app.models.usage import PENDING_STATES
from app.services.metering import clock, hours
from app.services.usage_reports.backlog import COUNT_HELD
from app.services.usage_reports.gaps import HAS_USAGE

# Ids begin with the time at which they were made.
SELECT_LATEST_ITEM = select(UsageItem.received_at).order_by(UsageItem.id.desc()).limit(1)
SELECT_LATEST_HOUR = select(UsageHour.created_at).order_by(UsageHour.id.desc()).limit(1)
RECORD_TIME = func.coalesce(UsageHour.timestamp, UsageHour.hour, type_=UsageHour.hour.type)
COUNT_UNSETTLED = (
    select(RECORD_TIME.label("at"), func.count().label("number"))
    .where(UsageHour.state.in_(PENDING_STATES))
    .group_by(RECORD_TIME)
)


@dataclass(frozen=True)
class RestoredUsage:
    """The usage in a backup, which has what came until `received_until`.

    `unsent`: hours that AWS still takes; `too_old`: hours that it takes no more. `held`: items that no hour bills.
    `moving`: the codes of metered products that bill late usage in the next hour.
    """

    received_until: datetime
    unsent: int
    too_old: int
    held: int
    moving: tuple[str, ...]

    def describe(self) -> Iterator[str]:
        """Yield what Foyer does by itself, and what the operator has to do and to check."""
        until = f"{self.received_until:%Y-%m-%d %H:%M} UTC"
        yield f"Usage: the backup has what came until {until}. Of what AWS was sent since, Foyer knows nothing."
        if self.moving:
            yield (
                f'Before you start Foyer, set late_usage = "hold" for {", ".join(self.moving)} in products.toml, until '
                "your product has caught up. Otherwise usage that AWS has billed, and that is older than a day, is "
                "billed again."
            )
        yield (
            "Let your product send again what it has sent since: with the same ids, nothing counts twice. Then compare "
            "what is held with AWS's report: foyer usage list --held"
        )
        if self.unsent:
            yield (
                f"Hours that are sent now, with the quantities that the backup has: {self.unsent}. AWS bills none of "
                "them twice. One that it has with another quantity is a conflict: foyer usage list --state conflict"
            )
        if self.too_old:
            yield (
                f"Hours that were not billed then, and that AWS takes no more: {self.too_old}. It may have billed them "
                "since. See CloudTrail or its report before you invoice them: foyer usage list --state expired"
            )
        if self.held:
            yield (
                f"Items that were held then: {self.held}. What was decided about them since is lost: compare them with "
                "the report before you bill one: foyer usage list --held"
            )


@query
def find(connection: Connection) -> RestoredUsage | None:
    """Return what is to be known of the usage in the backup; None where it has none."""
    wait_for_operator(connection)
    latest = [connection.scalar(SELECT_LATEST_ITEM), connection.scalar(SELECT_LATEST_HOUR)]
    times = [at for at in latest if at]
    if not times:
        return None
    now, unsent, too_old = clock.now(), 0, 0
    for row in connection.execute(COUNT_UNSETTLED):
        if now < hours.deadline(row.at):
            unsent += row.number
        else:
            too_old += row.number
    moving = (
        code
        for code, product in products.current().items()
        if product.usage.late_usage == "next-hour" and connection.scalar(HAS_USAGE, {"product_code": code})
    )
    return RestoredUsage(max(times), unsent, too_old, connection.scalar(COUNT_HELD) or 0, tuple(moving))
