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
        # Held until the write is settled.
        self._answer = threading.Lock()
        self._answer.acquire()
        self._is_running = self.is_settled = False
        self._result: Any = None
        self._error: BaseException | None = None

    def start(self) -> bool:
        """Mark the write as running, so that its caller can no longer give it up; return whether that succeeded.

        False: the caller has already given up, or the write is settled.
        """
        if not self._is_running:
            self._is_running = self._claim.acquire(blocking=False)
        return self._is_running and not self.is_settled

    def run(self, connection: Connection) -> Any:
        """Return what the work returns."""
        return self._context.run(self._work, connection)

    def settle(self, result: Any = None, error: BaseException | None = None) -> None:
        """Keep what came of it, and let the caller go on."""
        self._result, self._error, self.is_settled = result, error, True
        self._answer.release()

    def give_up(self) -> bool:
        """Return whether it has not begun, and so never will."""
        return self._claim.acquire(blocking=False)

    def result(self) -> Any:
        """Return what the work returned, or raise what it raised, once that is settled."""
        with self._answer:
            if self._error is not None:
                raise self._error
            return self._result
