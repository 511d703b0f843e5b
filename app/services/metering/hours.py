"""When an hour of usage is frozen, and until when AWS takes it. Everything is in UTC.

    14:00           15:00      15:10                                      14:00 next day
      |---- usage ----|- grace --|- sent, and sent again until it is billed -|
                              frozen                                      deadline

AWS takes no usage of 24 hours ago or more, and none of last month from 06:00 on the 1st:
https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_UsageRecord.html
"""

from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
WINDOW = timedelta(hours=24)
# Clocks differ, and a call takes its time.
DEADLINE_MARGIN = timedelta(minutes=2)
MONTH_CLOSES_AFTER = timedelta(hours=6)
# So that there is time left to send again.
MONTH_FROZEN_AFTER = timedelta(hours=5)
# After License Deprovisioned, AWS takes usage for one more hour.
FINAL_WINDOW = HOUR
# The product may report until then; the rest is for the calls.
FINAL_MARGIN = timedelta(seconds=45)


def hour_of(at: datetime) -> datetime:
    """Return the start of the hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def each(first: datetime, last: datetime) -> list[datetime]:
    """Return the hours from the first to the last; none where the last is earlier."""
    return [first + n * HOUR for n in range((last - first) // HOUR + 1)]


def month_of(at: datetime) -> datetime:
    """Return the start of the month."""
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(at: datetime) -> datetime:
    """Return the start of the month after."""
    return month_of(month_of(at) + timedelta(days=32))


def deadline(timestamp: datetime) -> datetime:
    """Return from when on AWS does not take a record with this time."""
    return min(timestamp + WINDOW - DEADLINE_MARGIN, next_month(timestamp) + MONTH_CLOSES_AFTER)


def freeze_time(hour: datetime, grace: timedelta, now: datetime) -> datetime:
    """Return when an hour is frozen whose first item comes now.

    An hour that is long over waits for the grace time as well: a product that catches up sends many items. Nothing of a
    month is frozen after 05:00 on the 1st, or so late that no time is left to send it.
    """
    latest = min(next_month(hour) + MONTH_FROZEN_AFTER, deadline(hour) - HOUR)
    return min(max(hour + HOUR, now) + grace, max(latest, hour + HOUR))


def is_too_old(hour: datetime, now: datetime) -> bool:
    """Return whether no call could bill the hour any more."""
    return now >= deadline(hour)


def final_freeze_time(ended_at: datetime) -> datetime:
    """Return when the last hour of a license is frozen that ended then."""
    return ended_at + FINAL_WINDOW - FINAL_MARGIN
