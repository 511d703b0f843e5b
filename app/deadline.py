"""How long a thread waits for others: each request has one deadline for all its steps, by this machine's clock.

A server that is stopped, a stalled disk, a cut network and a name server that is away answer nothing, not even that a
timeout has passed. So each step asks here how long it may wait:

    request begins                                           given up, the connection is closed
      |------------------------- REQUEST_SECONDS -------------------------------|
      |-- Redis --|------ AWS ------|-- connection -- connect -- BEGIN -- ... --|
                                    |----------- DATABASE_SECONDS --------------|

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
REQUEST_SECONDS = 4.25
# What came before leaves so much to the database: a landing that waited in vain for AWS still stores the token.
DATABASE_SECONDS = 0.75
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


_request: ContextVar[_Request | None] = ContextVar("request_deadline", default=None)
_background_seconds: ContextVar[float] = ContextVar("background_seconds", default=BACKGROUND_SECONDS)


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
        # What came before may have ended a little late, on a machine that is busy.
        request.ends_at = max(request.started + REQUEST_SECONDS, now + DATABASE_SECONDS)
    return max(request.ends_at - now, 0)


def seconds_before_database() -> float:
    """Return how many seconds this thread may still wait for what is asked before the database: Redis and AWS."""
    request = _request.get()
    started = request.started if request else time.monotonic()
    return max(started + REQUEST_SECONDS - DATABASE_SECONDS - time.monotonic(), 0)


@contextmanager
def extended() -> Iterator[None]:
    """Let each wait for the database take as long as a migration of a large table does."""
    token = _background_seconds.set(MIGRATION_SECONDS)
    try:
        yield
    finally:
        _background_seconds.reset(token)


def bounded_call(
    work: Callable[[], Any], seconds: float, discard: Callable[[Any], object] = lambda _result: None
) -> Any:
    """Return the work's result; raise TimeoutError after those seconds: then a late result is passed to `discard`.

    The work runs on a thread of its own. It is for work that takes no timeout, such as the look-up of a host's name.
    """
    future: Future[Any] = Future()
    threading.Thread(target=_run, args=(work, discard, future), name="bounded-call", daemon=True).start()
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
