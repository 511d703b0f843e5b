"""A write that waits for its turn: who runs it, and what its caller hears of it."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from sqlalchemy import Connection


class PendingWrite:
    """Work to be committed, and what came of it.

    Locks in place of a Future: to wait for one took as long as the write.
    """

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self._work = work
        # The caller's context variables: lines that the work logs carry the caller's request.
        self._context = copy_context()
        # Held by who runs the write, or by a caller that has given up: it is never both.
        self._claim = threading.Lock()
        # Held until the caller has something to do: the write is settled, or leads.
        self._rest = threading.Lock()
        self._rest.acquire()
        # Whether the caller's thread is to commit this write and all that wait.
        self.is_leader = False
        self._is_running = self._is_settled = False
        self._result: Any = None
        self._error: Exception | None = None

    def start(self) -> bool:
        """Mark the write as running, so that its caller can no longer give it up; return whether that succeeded.

        False: the caller has already given up, or the write is settled.
        """
        if not self._is_running:
            self._is_running = self._claim.acquire(blocking=False)
        return self._is_running and not self._is_settled

    def run(self, connection: Connection) -> Any:
        """Return what the work returns."""
        return self._context.run(self._work, connection)

    def lead(self) -> None:
        """Let the caller's thread commit this write and all that wait."""
        self.is_leader = True
        self._wake()

    def settle(self, result: Any = None, error: Exception | None = None) -> None:
        """Keep what came of it, and let the caller go on."""
        self._result, self._error, self._is_settled = result, error, True
        self._wake()

    def wait(self, seconds: float) -> None:
        """Wait until the write is settled or leads, for so many seconds at the most."""
        self._rest.acquire(timeout=max(seconds, 0))

    def give_up(self) -> bool:
        """Return whether it has not begun, and so never will."""
        return self._claim.acquire(blocking=False)

    def result(self) -> Any:
        """Return what the work returned, or raise what it raised, once that is settled."""
        if not self._is_settled:
            self._rest.acquire()
        if self._error is not None:
            raise self._error
        return self._result

    def _wake(self) -> None:
        if self._rest.locked():  # not where it is settled right after it began to lead
            self._rest.release()
