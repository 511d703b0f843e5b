"""Sending: what the outbox promised, in one lane for each product and one for mail, so that none waits for another."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from flask import Flask, current_app

from app.config import handoff_endpoints
from app.errors import DatabaseUnavailable
from app.mail import mailer
from app.observability import logs
from app.services.delivery import send_handoff, send_mail
from app.services.outbox import queue
from app.services.outbox.queue import ClaimedMessage

IDLE_POLL_SECONDS = 0.5
FAILURE_BACKOFF_SECONDS = 5
# One account that is slow to make does not keep the product's next buyer waiting.
MAX_CONCURRENT_SENDS = 8


@dataclass(frozen=True)
class Lane:
    """What goes one way: its name in the outbox, what sends one message of it, and what counts a try that failed."""

    name: str
    send: Callable[[ClaimedMessage], object]
    record_failure: Callable[[ClaimedMessage, str], object]


def configured_lanes() -> list[Lane]:
    """Return the lanes that the settings ask for."""
    private = bool(current_app.config["HANDOFF_ALLOW_PRIVATE"])
    found = [
        Lane(
            queue.handoff_lane(code),
            partial(send_handoff.send, receiver, allow_private=private),
            send_handoff.reschedule_or_fail,
        )
        for code, receiver in handoff_endpoints.by_product_code().items()
    ]
    if mailer.is_enabled():
        send = partial(send_mail.send, site_url=current_app.config["SITE_URL"])
        found.append(Lane(queue.MAIL_LANE, send, send_mail.reschedule_or_fail))
    return found


def start(app: Flask, stop: threading.Event) -> list[threading.Thread]:
    """Start a thread for each lane, which ends once it is told to stop and what is under way is done."""
    threads = [
        threading.Thread(target=_run_lane, args=(app, lane, stop), name=lane.name) for lane in configured_lanes()
    ]
    for thread in threads:
        thread.start()
    return threads


def _run_lane(app: Flask, lane: Lane, stop: threading.Event) -> None:
    free = threading.Semaphore(MAX_CONCURRENT_SENDS)
    with ThreadPoolExecutor(MAX_CONCURRENT_SENDS, thread_name_prefix=lane.name) as pool, app.app_context():
        while not stop.is_set():
            # Claimed only once somebody can send it: its lease would end while it waits.
            free.acquire()
            # All may have been busy for as long as it took to be told to stop.
            claimed = None if stop.is_set() else _claim_next(lane, stop)
            if claimed is None:
                free.release()
                continue
            pool.submit(_send_claimed, app, lane, claimed).add_done_callback(lambda _: free.release())


def _claim_next(lane: Lane, stop: threading.Event) -> ClaimedMessage | None:
    try:
        claimed = queue.claim(lane.name, datetime.now(UTC))
    except Exception as error:  # noqa: BLE001  # one lane's fault must not end it
        logs.chore_failed(lane.name, error)
        stop.wait(FAILURE_BACKOFF_SECONDS)
        return None
    if claimed is None:
        stop.wait(IDLE_POLL_SECONDS)
    return claimed


def _send_claimed(app: Flask, lane: Lane, claimed: ClaimedMessage) -> None:
    with app.app_context():
        error = _run_and_log_error(lane, lambda: lane.send(claimed))
        # What the database did not take is not settled: it comes up again once its lease is over.
        if error is not None and not isinstance(error, DatabaseUnavailable):
            _run_and_log_error(lane, lambda: lane.record_failure(claimed, type(error).__name__))


def _run_and_log_error(lane: Lane, work: Callable[[], object]) -> Exception | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001  # one lane's fault must not end it
        logs.chore_failed(lane.name, error)
        return error
    return None
