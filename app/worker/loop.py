"""The worker's loop: AWS's events, pending tokens, reviews, the billing of usage, the log of gauges, and purges."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog
from flask import Flask, current_app

from app.aws import queue
from app.backoff import backoff_seconds
from app.database import clock
from app.observability import logs
from app.services.billing import alerts, freeze, send, zeros
from app.services.billing import purge as billing_purge
from app.services.events import consume, review
from app.services.operations import heartbeats, reseal
from app.services.outbox import expiry
from app.services.purchases import drafts
from app.services.reports import gauges
from app.services.signup import erasure, invitations, pending_tokens, retry_pending
from app.worker import senders as worker_senders

log = structlog.get_logger()

IDLE_POLL_SECONDS = 1
USAGE_POLL_SECONDS = 2
# AWS takes ten a second of an account and Region, and several workers may send:
# https://docs.aws.amazon.com/marketplace/latest/developerguide/metering-service-quotas.html
SECONDS_BETWEEN_CALLS = 0.2
MAX_BACKOFF_SECONDS = 30


@dataclass
class Chore:
    """Work that runs every `interval_seconds`; with a backoff of at most 30 seconds while it fails.

    `work` returns False where it failed in an expected way; any exception is logged and counts as a failure.
    """

    name: str
    work: Callable[[], object]
    interval_seconds: float
    next_run_at: float = 0
    failures: int = field(default=0, init=False)

    def run(self) -> None:
        """Do the work and schedule the next run, counted from the end of this one on the monotonic clock."""
        try:
            has_failed = self.work() is False
        except Exception as error:  # noqa: BLE001  # a chore that fails must not stop the others
            logs.chore_failed(self.name, error)
            has_failed = True
        self.failures = self.failures + 1 if has_failed else 0
        backoff = max(backoff_seconds(self.failures, 1, MAX_BACKOFF_SECONDS), IDLE_POLL_SECONDS)
        self.next_run_at = time.monotonic() + (backoff if self.failures else self.interval_seconds)


def run(stop: threading.Event) -> None:
    """Run the chores and the senders until `stop` is set, and return once the running ones have finished."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    # In a thread of its own: a poll of SQS takes up to 20 seconds, and would delay the other chores.
    listener = threading.Thread(target=_consume_events, args=(app, stop), name="events", daemon=True)
    listener.start()
    # In two others: a call to BatchMeterUsage takes as long, and the last hour of a license has to be frozen in time.
    meters = [threading.Thread(target=work, args=(app, stop), daemon=True) for work in (_close_hours, _send_usage)]
    for meter in meters:
        meter.start()
    senders = worker_senders.start(app, stop)
    log.info("worker.started")
    _run_chores(
        [
            Chore("heartbeat", partial(heartbeats.record, "worker"), interval_seconds=10),
            Chore("retry_pending", partial(repeat_while_due, retry_pending.resolve_next), IDLE_POLL_SECONDS),
            Chore("review", partial(repeat_while_due, review.process_next), IDLE_POLL_SECONDS),
            Chore("measure", log_gauges, interval_seconds=60),
            Chore("purge", purge, interval_seconds=3600),
        ],
        stop,
    )
    for thread in (*senders, *meters):
        thread.join()
    # A poll of SQS cannot be cancelled: do not wait for a listener that is only polling.
    while listener.is_alive() and not consume.is_idle():
        listener.join(0.05)
    log.info("worker.stopped")


def _consume_events(app: Flask, stop: threading.Event) -> None:
    with app.app_context():
        if queue.current():
            _run_chores([Chore("events", partial(consume.poll, stop), interval_seconds=0)], stop)


def _close_hours(app: Flask, stop: threading.Event) -> None:
    with app.app_context():
        chores = [
            Chore("freeze_usage", partial(repeat_while_due, freeze.freeze_due), USAGE_POLL_SECONDS),
            Chore("usage_zeros", partial(repeat_while_due, zeros.Zeros().make_next), USAGE_POLL_SECONDS),
            Chore("overdue_usage", alerts.report_overdue, interval_seconds=300),
        ]
        _run_chores(chores, stop)


def _send_usage(app: Flask, stop: threading.Event) -> None:
    with app.app_context():
        _run_chores([Chore("send_usage", partial(send_usage, stop, send.Pauses()), USAGE_POLL_SECONDS)], stop)


def send_usage(stop: threading.Event, pauses: send.Pauses) -> bool:
    """Send what is due, slower than AWS allows; return False if the last call failed."""
    wait = partial(stop.wait, SECONDS_BETWEEN_CALLS)
    outcome = send.send_next(pauses, wait)
    while outcome and not wait():
        outcome = send.send_next(pauses, wait)
    return outcome is not False


def _run_chores(chores: list[Chore], stop: threading.Event) -> None:
    while not stop.is_set():
        for chore in chores:
            if chore.next_run_at <= time.monotonic() and not stop.is_set():
                chore.run()
        stop.wait(max(min(chore.next_run_at for chore in chores) - time.monotonic(), 0))


def repeat_while_due(run_next: Callable[[], bool | None]) -> bool:
    """Call `run_next` for about a second, while it returns True; return False if the last call did."""
    started = time.monotonic()
    outcome = run_next()
    while outcome and time.monotonic() - started < IDLE_POLL_SECONDS:
        outcome = run_next()
    return outcome is not False


def log_gauges() -> bool:
    """Log the gauges of /metrics as numbers; return False, and log none, while the database takes no write.

    CloudWatch counts these lines, and rings where there are none: see deploy/alarms.md.
    """
    values = gauges.current()
    if not values["foyer_database_up"]:
        return False
    # JSON has no infinity: it is the age of a heartbeat that never came.
    finite = {name.removeprefix("foyer_"): value for name, value in values.items() if math.isfinite(value)}
    log.info("worker.measured", **finite)
    return True


def purge() -> None:
    """Delete settled tokens, expired drafts and old calls, give up stale messages, and erase what is past its time.

    These are the addresses of closed invitations, and registrations past `RETENTION_DAYS`. Of what stays, encrypt
    anew what a leaked secret key encrypted.
    """
    pending_tokens.purge()
    drafts.purge()
    reseal.reseal()
    invitations.purge_emails()
    expiry.give_up_stale()
    erasure.erase_expired(current_app.config["RETENTION_DAYS"], clock.now())
    # Last: it also erases the tags of those who were erased just now.
    billing_purge.purge()
