"""The time by which usage is dated, frozen and sent: the database's, which all workers share; the sandbox moves it."""

from collections.abc import Callable
from datetime import datetime

from app.database import clock as database_clock

_source: Callable[[], datetime] = database_clock.now


def now() -> datetime:
    """Return the time in UTC."""
    return _source()


def set_source(source: Callable[[], datetime]) -> None:
    """Take the time from `source`, which returns it in UTC."""
    global _source  # noqa: PLW0603
    _source = source
