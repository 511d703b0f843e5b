"""The hours and the window of usage. Everything is in UTC."""

from datetime import UTC, datetime, timedelta

from sandbox.aws_errors import InvalidLicense, TimestampOutOfBounds
from sandbox.metering.identities import Identity

WINDOW = timedelta(hours=24)
# Usage of last month is taken until this long after midnight on the 1st.
MONTH_GRACE = timedelta(hours=6)


def read(timestamp: float, now: datetime) -> datetime:
    """Return the time of a record.

    Raises:
        TimestampOutOfBounds: it is 24 hours ago or more, in the future, or of a month that is closed.
    """
    try:
        at = datetime.fromtimestamp(timestamp, UTC)
    except (OverflowError, ValueError, OSError):
        raise TimestampOutOfBounds(f"Timestamp {timestamp:g} is out of bounds: it is in seconds") from None
    month_began_at = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    is_closed_month = at < month_began_at and now >= month_began_at + MONTH_GRACE
    if is_closed_month or not now - WINDOW < at <= now:
        raise TimestampOutOfBounds(f"Timestamp {at.isoformat()} is out of bounds at {now.isoformat()}")
    return at


def check_period(identity: Identity, at: datetime) -> None:
    """Check a record that names its license.

    Raises:
        InvalidLicense: the license was not active at that time.
    """
    if identity.form == "license" and not identity.licenses[0].covers(at):
        raise InvalidLicense(f"Usage of {at.isoformat()} is not within the activation period of {identity.key}")


def hour_of(at: datetime) -> datetime:
    """Return the start of the hour that a time belongs to."""
    return at.replace(minute=0, second=0, microsecond=0)
