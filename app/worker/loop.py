"""The background process: follows AWS's events, links what waits, sends what is promised, erases what is too old."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from flask import Flask, current_app

from app.aws import queue
from app.backoff import backoff_seconds
from app.observability import logs
from app.services.events import consume
from app.services.events import review as events_review
from app.services.operations import heartbeats
from app.services.signup import erasure, invitations, pending_tokens, retry_pending
from app.worker import senders as worker_senders

log = structlog.get_logger()

IDLE_POLL_SECONDS = 1
MAX_BACKOFF_SECONDS = 30
HEARTBEAT_INTERVAL_SECONDS = 10
HOUR_SECONDS = 3600


@dataclass
class Chore:
    """Work to be done again and again, so many seconds apart; further apart while it fails."""

    name: str
    work: Callable[[], bool]
    interval_seconds: float
    next_run_at: float = 0
    failures: int = field(default=0, init=False)

    def run(self) -> None:
        """Do the work, and settle when it is due next: so long after its end, on the monotonic clock."""
        self.failures = 0 if self._try_work() else self.failures + 1
        pause = backoff_seconds(self.failures, 1, MAX_BACKOFF_SECONDS)
        self.next_run_at = time.monotonic() + (
            self.interval_seconds if not self.failures else max(pause, IDLE_POLL_SECONDS)
        )

    def _try_work(self) -> bool:
        try:
            return self.work()
        except Exception as error:  # noqa: BLE001  # one chore's fault must not end the others
            logs.chore_failed(self.name, error)
        return False


def run(stop: threading.Event) -> None:
    """Do every chore when it is due, until told to stop; what is under way then is finished first."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    # Whoever waits for events must not keep the other chores waiting.
    listener = threading.Thread(target=_consume_events, args=(app, stop), name="events", daemon=True)
    listener.start()
    senders = worker_senders.start(app, stop)
    log.info("worker.started")
    _run_chores(
        [
            Chore("heartbeat", heartbeat, HEARTBEAT_INTERVAL_SECONDS),
            Chore("link", retry_pending_tokens, IDLE_POLL_SECONDS),
            Chore("review", review_subscriptions, IDLE_POLL_SECONDS),
            Chore("forget", purge, HOUR_SECONDS),
        ],
        stop,
    )
    for sender in senders:
        sender.join()
    # SQS has no way to end a wait for messages: a listener that only waits is left behind.
    while listener.is_alive() and not consume.is_idle():
        listener.join(0.05)
    log.info("worker.stopped")


def _consume_events(app: Flask, stop: threading.Event) -> None:
    with app.app_context():
        if queue.current():
            _run_chores([Chore("events", lambda: consume.poll(stop), 0)], stop)


def _run_chores(chores: list[Chore], stop: threading.Event) -> None:
    while not stop.is_set():
        for chore in chores:
            if chore.next_run_at <= time.monotonic() and not stop.is_set():
                chore.run()
        stop.wait(max(min(chore.next_run_at for chore in chores) - time.monotonic(), 0))


def retry_pending_tokens() -> bool:
    """Resolve parked tokens, as many as are due in one go; return whether AWS answers."""
    return _repeat_while_due(retry_pending.resolve_next)


def review_subscriptions() -> bool:
    """Join purchases with their events and read their entitlements; return whether AWS answers."""
    return _repeat_while_due(events_review.process_next)


def _repeat_while_due(run_next: Callable[[], bool | None]) -> bool:
    started = time.monotonic()
    outcome = run_next()
    while outcome and time.monotonic() - started < IDLE_POLL_SECONDS:
        outcome = run_next()
    return outcome is not False


def heartbeat() -> bool:
    """Let the metrics know that a worker is alive."""
    heartbeats.record("worker")
    return True


def purge() -> bool:
    """Delete and erase what has been kept for long enough."""
    pending_tokens.purge()
    invitations.purge_emails()
    erasure.erase_expired(current_app.config["RETENTION_DAYS"], datetime.now(UTC))
    return True
