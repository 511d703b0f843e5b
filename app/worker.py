"""The background process: resolves parked tokens, and erases what need not be kept any longer."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from flask import current_app

from app.errors import DatabaseUnavailable
from app.services import linking, parking, privacy

log = structlog.get_logger()

IDLE_SECONDS = 1
LONGEST_PAUSE_SECONDS = 30
HOUR = 3600


@dataclass
class Chore:
    """Work to be done again and again, so many seconds apart; further apart while it fails."""

    name: str
    work: Callable[[], bool]
    every_seconds: float
    due: float = 0
    failures: int = field(default=0, init=False)

    def run(self) -> None:
        """Do the work, and settle when it is due next: so long after its end, on the monotonic clock."""
        self.failures = 0 if self._succeeds() else self.failures + 1
        # Workers that failed together do not all come again together.
        pause = min(2**self.failures, LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1)  # noqa: S311
        self.due = time.monotonic() + (self.every_seconds if not self.failures else max(pause, IDLE_SECONDS))

    def _succeeds(self) -> bool:
        try:
            return self.work()
        except DatabaseUnavailable as error:
            log.error("worker.failed", chore=self.name, fault="DatabaseUnavailable", code=error.code)
        except Exception as error:  # one chore's fault must not end the others
            log.error("worker.failed", chore=self.name, fault=type(error).__name__, exc_info=error)
        return False


def run(stop: threading.Event) -> None:
    """Do every chore when it is due, until told to stop; what is under way then is finished first."""
    chores = [Chore("link", link, IDLE_SECONDS), Chore("forget", forget, HOUR)]
    log.info("worker.started")
    while not stop.is_set():
        for chore in chores:
            if chore.due <= time.monotonic() and not stop.is_set():
                chore.run()
        stop.wait(max(min(chore.due for chore in chores) - time.monotonic(), 0))
    log.info("worker.stopped")


def link() -> bool:
    """Resolve parked tokens, as many as are due in one go; return whether AWS answers."""
    started = time.monotonic()
    outcome = linking.link_next()
    while outcome and time.monotonic() - started < IDLE_SECONDS:
        outcome = linking.link_next()
    return outcome is not False


def forget() -> bool:
    """Delete and erase what has been kept for long enough."""
    parking.forget()
    privacy.retain(current_app.config["RETENTION_DAYS"], datetime.now(UTC))
    return True
