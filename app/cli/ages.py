"""Times as people say them: "5 min ago", "in 3 d"; and the lengths of time that options take."""

import re
from datetime import UTC, datetime, timedelta

# From here on, a date says more than a count of days.
MAX_DISTANCE = timedelta(days=60)
UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
LENGTH = re.compile(rf"([0-9]{{1,6}}) ?({'|'.join(UNITS)})", re.IGNORECASE)


def describe(moment: datetime, now: datetime | None = None) -> str:
    """Return how long ago the moment was, or how soon it is; from 60 days on, its date in UTC."""
    distance = (now or datetime.now(UTC)) - moment
    if abs(distance) >= MAX_DISTANCE:
        return f"{moment.astimezone(UTC):%Y-%m-%d}"
    if abs(distance) < timedelta(seconds=5):
        return "now"
    length = describe_length(abs(distance))
    return f"{length} ago" if distance > timedelta() else f"in {length}"


def describe_length(length: timedelta) -> str:
    """Return the length of time in its largest unit, days from two days on."""
    seconds = int(length.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 2 * 86400 else f"{seconds // 86400} d"


def parse_length(text: str) -> timedelta | None:
    """Return the length of time that `7d`, `24h`, `2w` or `30min` stands for; None where the text is no such thing."""
    match = LENGTH.fullmatch(text.strip())
    return int(match[1]) * UNITS[match[2].lower()] if match else None


def parse_moment(text: str) -> datetime | None:
    """Return the moment that a date or a time in ISO 8601 stands for, in UTC unless it has a zone; None if neither."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
