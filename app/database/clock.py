"""The database's clock, which all machines share: every time that is stored, or compared with a stored one, is by it.

A connection to PostgreSQL compares the two clocks when it is made or taken from the pool, unless that was done lately.
From there on, this machine's steady clock counts, which nobody sets. So a machine whose clock is wrong, or is set while
Foyer runs, takes no other's lease. SQLite has no clock of its own: its processes share their machine's.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Flask, current_app

# Meanwhile the steady clock gains or loses a fraction of a second.
COMPARISON_TTL_SECONDS = 300
# So much, NTP corrects little by little. More means that the clock was set, or that this machine was asleep.
MAX_STEP_SECONDS = 1
# On Linux, it goes on while the machine is suspended.
STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass
class Clock:
    """The database's clock and this machine's, each by how many seconds it was ahead of the steady one when compared.

    `compared` is when that was, by the steady clock.
    """

    compared: float = -math.inf
    database: float | None = None
    machine: float | None = None

    @property
    def ahead(self) -> timedelta:
        """How far this machine's clock was ahead of the database's."""
        return timedelta(seconds=(self.machine or 0) - (self.database or 0))

    def compare(self, read_database_time: Callable[[], datetime]) -> None:
        """Read both clocks, unless they were compared lately and this machine's was not set since."""
        if self._is_current():
            return
        machine, started = time.time(), _steady_seconds()
        database_time = read_database_time()
        ended = _steady_seconds()
        # The database read its clock about halfway between.
        self.database = database_time.timestamp() - (started + ended) / 2
        self.machine, self.compared = machine - started, ended

    def now(self) -> datetime:
        """Return the time in UTC, by the database's clock; by this machine's before the first comparison."""
        # Read once: another thread may be comparing.
        database = self.database
        return datetime.now(UTC) if database is None else datetime.fromtimestamp(_steady_seconds() + database, UTC)

    def _is_current(self) -> bool:
        step = 0 if self.machine is None else time.time() - _steady_seconds() - self.machine
        return _steady_seconds() - self.compared < COMPARISON_TTL_SECONDS and abs(step) <= MAX_STEP_SECONDS


def _steady_seconds() -> float:
    return time.clock_gettime(STEADY_CLOCK)


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
    return current().now()
