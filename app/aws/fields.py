"""What fields of AWS's messages mean: ids have no blanks around them, and a far year is no end."""

from datetime import UTC, datetime

EARLIEST_TIME = datetime(2012, 4, 19, tzinfo=UTC)
# AWS sends an agreement without an end with `endTime` 9999-01-01.
NO_END = datetime(9000, 1, 1, tzinfo=UTC)


def strip(text: str | None) -> str | None:
    """Return an id without surrounding blanks; None where nothing is left, or there was none."""
    return (text or "").strip() or None


def end_or_none(at: datetime | None) -> datetime | None:
    """Return the end that AWS names; None where that is a year from 9000 on, or none at all."""
    return at if at and at < NO_END else None
