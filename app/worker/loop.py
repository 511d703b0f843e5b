"""The background process: follows AWS's events, links what waits, sends what is promised, erases what is too old."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from flask import Flask, current_app

from app.aws import queue
from app.observability import logs
from app.services.events import consume
from app.services.events import review as events_review
from app.services.operations import heartbeats
from app.services.signup import erasure, invitations, pending_tokens, retry_pending
from app.worker import senders as worker_senders

log = structlog.get_logger()

IDLE_SECONDS = 1
LONGEST_PAUSE_SECONDS = 30
HEARTBEAT_SECONDS = 10
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
        except Exception as error:  # noqa: BLE001  # one chore's fault must not end the others
            logs.failed(self.name, error)
        return False


def run(stop: threading.Event) -> None:
    """Do every chore when it is due, until told to stop; what is under way then is finished first."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    # Whoever waits for events must not keep the other chores waiting.
    listener = threading.Thread(target=_listen, args=(app, stop), name="events", daemon=True)
    listener.start()
    senders = worker_senders.start(app, stop)
    log.info("worker.started")
    _do(
        [
            Chore("heartbeat", beat, HEARTBEAT_SECONDS),
            Chore("link", link, IDLE_SECONDS),
            Chore("review", review, IDLE_SECONDS),
            Chore("forget", forget, HOUR),
        ],
        stop,
    )
    for sender in senders:
        sender.join()
    # SQS has no way to end a wait for messages: a listener that only waits is left behind.
    while listener.is_alive() and not consume.is_listening():
        listener.join(0.05)
    log.info("worker.stopped")


def _listen(app: Flask, stop: threading.Event) -> None:
    with app.app_context():
        if queue.current():
            _do([Chore("events", lambda: consume.take_in(stop), 0)], stop)


def _do(chores: list[Chore], stop: threading.Event) -> None:
    while not stop.is_set():
        for chore in chores:
            if chore.due <= time.monotonic() and not stop.is_set():
                chore.run()
        stop.wait(max(min(chore.due for chore in chores) - time.monotonic(), 0))


def link() -> bool:
    """Resolve parked tokens, as many as are due in one go; return whether AWS answers."""
    return _as_many_as_are_due(retry_pending.link_next)


def review() -> bool:
    """Join purchases with their events and read their entitlements; return whether AWS answers."""
    return _as_many_as_are_due(events_review.review_next)


def _as_many_as_are_due(one: Callable[[], bool | None]) -> bool:
    started = time.monotonic()
    outcome = one()
    while outcome and time.monotonic() - started < IDLE_SECONDS:
        outcome = one()
    return outcome is not False


def beat() -> bool:
    """Let the metrics know that a worker is alive."""
    heartbeats.beat("worker")
    return True


def forget() -> bool:
    """Delete and erase what has been kept for long enough."""
    pending_tokens.forget()
    invitations.forget()
    erasure.retain(current_app.config["RETENTION_DAYS"], datetime.now(UTC))
    return True
