"""The times of an hour that is due: until when it takes items, the time that AWS is sent, and in which hour it belongs.

AWS takes usage of a license from its start until its end, and one record an hour. Events come late, so that items are
in hours in which, as it turns out, the license was not in force: these go to the first or the last hour of the license.

    license from 11:00:05 to 14:50    items of 10:59:58 go to hour 11, and items of 15:02 to hour 14
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from app.config import products
from app.services.metering import hours
from app.services.metering.licenses import License, MeteredSubscription

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class RecordTimes:
    """The times of one hour of usage, by what is known of its license now."""

    row: Row[Any]
    subscription: MeteredSubscription
    license: License
    ended_at: datetime | None

    def freezes_at(self) -> datetime:
        """Return until when the hour takes items."""
        if self.ended_at is None:
            grace = products.usage_rules(self.row.product_code).grace
            return hours.freeze_time(self.row.hour, grace, self.row.created_at)
        if hours.hour_of(self.ended_at) > self.row.hour:
            return self.ended_at
        # The last hour of a license is open until the time for sending is nearly over.
        return self.subscription.last_freeze_time(self.license, self.ended_at)

    def billable_hour(self) -> datetime:
        """Return the hour in which AWS takes the usage."""
        hour: datetime = self.row.hour
        if self.ended_at and hours.hour_of(self.ended_at) < hour:
            return hours.hour_of(self.ended_at)
        started_at = self.license.started_at
        if started_at and started_at >= hour + hours.HOUR and hours.month_of(started_at) == hours.month_of(hour):
            return hours.hour_of(started_at)
        return hour

    @property
    def began_before(self) -> bool:
        """Whether the license was in force when the hour began; otherwise its record has a later time."""
        return bool((self.license.started_at or self.subscription.created_at) <= self.row.hour)

    def timestamp(self, first_use: datetime | None) -> datetime:
        """Return the hour's start or, where the license came into force later, a time within both.

        `first_use` is that of its first item, or None where the license was in force.
        """
        at: datetime = self.row.hour
        last = at + hours.HOUR - SECOND
        if first_use:
            at = max(at, first_use, min(self.license.started_at or first_use, last))
        if self.ended_at and self.ended_at >= self.row.hour:
            at = min(at, self.ended_at)
        # Whole seconds, as they are sent: rounded up, because the license may have begun within this one.
        at = at + SECOND if at.microsecond and at.replace(microsecond=0) + SECOND <= last else at
        return min(at.replace(microsecond=0), last)

    def queued_at(self, timestamp: datetime) -> datetime:
        """Return the place in the queue of what is sent, which is by the deadline: a day before it."""
        deadline = hours.deadline(timestamp)
        until = self.subscription.takes_usage_until(self.license) if self.ended_at else None
        return (min(deadline, until) if until else deadline) - hours.WINDOW
