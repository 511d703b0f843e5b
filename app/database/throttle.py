"""A bound on how often others can make a process write to the database."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

# Several load balancers ask every second, and anybody can: in the long run one write a second and process is made.
MAX_RUNS = 5
PERIOD_SECONDS = 5.0


class Throttle:
    """Runs a check at most `MAX_RUNS` times in `PERIOD_SECONDS`; in between, the result of its last run stands."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: deque[float] = deque(maxlen=MAX_RUNS)
        self._results: deque[Any] = deque(maxlen=1)

    def run(self, check: Callable[[], T]) -> T:
        """Return the check's result, of now or of a few seconds ago."""
        if not self._may_run() and self._results:
            latest: T = self._results[-1]
            return latest
        result = check()
        self._results.append(result)
        return result

    def _may_run(self) -> bool:
        now = time.monotonic()
        with self._lock:
            if len(self._runs) == MAX_RUNS and now - self._runs[0] < PERIOD_SECONDS:
                return False
            self._runs.append(now)
            return True
