"""The sandbox's clock, which all of its parts share. It runs ahead of this machine's by as much as it was advanced."""

import threading
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, Field

from sandbox.strict_model import StrictModel

# Ten years: later, a time would no longer fit what reads it.
MAX_MINUTES = 10 * 366 * 24 * 60


class ClockState(BaseModel):
    """The clock in the state file."""

    ahead: timedelta = timedelta()


class Advance(StrictModel):
    """How far to move the clock ahead."""

    advance_minutes: int = Field(ge=1, le=MAX_MINUTES)


class Clock:
    """A clock that can be moved. Thread-safe."""

    def __init__(self, state: ClockState) -> None:
        self._lock = threading.Lock()
        self._state = state
        self._stopped_at: datetime | None = None

    def now(self) -> datetime:
        """Return the sandbox's time in UTC."""
        return self._stopped_at or datetime.now(UTC) + self._state.ahead

    def to_json(self) -> dict[str, object]:
        """Return the time in RFC 3339, and by how many seconds it is ahead of this machine's."""
        now = self.now()
        return {
            "now": now.isoformat().replace("+00:00", "Z"),
            "ahead_seconds": (now - datetime.now(UTC)).total_seconds() if self._stopped_at else self._ahead_seconds,
        }

    @property
    def _ahead_seconds(self) -> float:
        return self._state.ahead.total_seconds()

    def advance(self, by: timedelta) -> datetime:
        """Move the clock ahead, and return its time. A stopped clock stays stopped."""
        with self._lock:
            if self._stopped_at:
                self._stopped_at += by
            self._state.ahead += by
        return self.now()

    def set(self, at: datetime, *, stopped: bool = False) -> None:
        """Set the clock to any time, as a test may; where `stopped`, it stays there until it is set again."""
        with self._lock:
            self._state.ahead = at.astimezone(UTC) - datetime.now(UTC)
            self._stopped_at = at.astimezone(UTC) if stopped else None

    def reset(self) -> None:
        """Take this machine's time again, which may move the clock back."""
        with self._lock:
            self._state.ahead, self._stopped_at = timedelta(), None
