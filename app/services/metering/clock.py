"""The time by which usage is dated, frozen and sent; the sandbox sets it ahead."""

from collections.abc import Callable
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


_source: Callable[[], datetime] = _now


def now() -> datetime:
    """Return the time in UTC."""
    return _source()


def set_source(source: Callable[[], datetime]) -> None:
    """Take the time from `source`, which returns it in UTC."""
    global _source  # noqa: PLW0603
    _source = source
