"""The database's clock, which all machines share: every time that is stored, or compared with a stored one, is by it.

A new connection to PostgreSQL compares the two clocks, and connections do not grow old. So a machine whose clock is
wrong takes no other's lease. SQLite has no clock of its own: its processes share their machine's.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Flask, current_app

COMPARISON_TTL_SECONDS = 300


@dataclass
class Clock:
    """How far this machine's clock is ahead of the database's, when it was last compared."""

    ahead: timedelta = timedelta()
    compared: float = -math.inf

    def compare(self, read_database_time: Callable[[], datetime]) -> None:
        """Read both clocks, unless that was done within COMPARISON_TTL_SECONDS."""
        started_at, started = datetime.now(UTC), time.monotonic()
        if started - self.compared < COMPARISON_TTL_SECONDS:
            return
        database_time = read_database_time()
        self.compared = time.monotonic()
        # The database read its clock about halfway between.
        halfway = timedelta(seconds=(self.compared - started) / 2)
        self.ahead = started_at + halfway - database_time


def init_app(app: Flask) -> Clock:
    """Give the application a clock, for its database's connections to compare."""
    clock = Clock()
    app.extensions["clock"] = clock
    return clock


def current() -> Clock:
    """Return the running application's clock."""
    clock: Clock = current_app.extensions["clock"]
    return clock


def now() -> datetime:
    """Return the time in UTC, by the clock of the running application's database."""
    return datetime.now(UTC) - current().ahead
