"""How long a thread waits for the database: each request has one deadline for all its steps, by this machine's clock.

A server that is stopped, a stalled disk and a cut network answer nothing, not even that a timeout has passed. So every
wait (for a free connection, to connect, for a statement's result, for SQLite's writer) asks here how long it may take:

    request begins                                           given up, the connection is closed
      |------------------------- REQUEST_SECONDS -------------------------------|
      |-- AWS --|-- free connection --|-- connect --|-- BEGIN --|-- INSERT ... -|
                |-- at least MIN_SECONDS --|

Outside a request, in the worker and in commands, each wait has a time of its own.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from flask import Flask

# The buyer has a page within five seconds, also on a machine that is busy.
REQUEST_SECONDS = 4.0
# A landing that waited for AWS until its last second still stores the token.
MIN_SECONDS = 1.0
# More than the limits that the server keeps, which end a statement without closing the connection.
BACKGROUND_SECONDS = 15.0
MIGRATION_SECONDS = 24 * 3600.0


class DeadlineError(Exception):
    """The database did not answer by the deadline: a base of the driver's error that says so."""


@dataclass
class _Request:
    """When a request began, and its deadline once it has used the database."""

    started: float
    ends_at: float | None = None


_request: ContextVar[_Request | None] = ContextVar("database_request", default=None)
_background_seconds: ContextVar[float] = ContextVar("database_background_seconds", default=BACKGROUND_SECONDS)


def init_app(app: Flask) -> None:
    """Give each request of the application its deadline."""
    app.before_request(_start)
    app.teardown_request(_end)


def _start() -> None:
    _request.set(_Request(time.monotonic()))


def _end(_error: BaseException | None) -> None:
    _request.set(None)


def seconds_left() -> float:
    """Return how many seconds this thread may still wait for the database; 0 where the deadline has passed."""
    request, now = _request.get(), time.monotonic()
    if request is None:
        return _background_seconds.get()
    if request.ends_at is None:
        request.ends_at = max(request.started + REQUEST_SECONDS, now + MIN_SECONDS)
    return max(request.ends_at - now, 0)


@contextmanager
def extended() -> Iterator[None]:
    """Let each wait take as long as a migration of a large table does."""
    token = _background_seconds.set(MIGRATION_SECONDS)
    try:
        yield
    finally:
        _background_seconds.reset(token)


def call(work: Callable[[], Any], seconds: float, discard: Callable[[Any], object]) -> Any:
    """Return the work's result; raise TimeoutError after those seconds: then a late result is passed to `discard`.

    The work runs on a thread of its own. It is for work that takes no timeout, such as the look-up of a host's name.
    """
    future: Future[Any] = Future()
    threading.Thread(target=_run, args=(work, discard, future), name="database-call", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if not future.cancel():  # it ended just now
            return future.result()
        raise


def _run(work: Callable[[], Any], discard: Callable[[Any], object], future: "Future[Any]") -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001  # the caller raises it again
        if future.set_running_or_notify_cancel():
            future.set_exception(error)
    else:
        if future.set_running_or_notify_cancel():
            future.set_result(result)
        else:
            discard(result)
