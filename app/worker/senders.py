"""The senders: threads that send the outbox's messages, one lane for each product and one for mail."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from flask import Flask, current_app

from app.config import products
from app.errors import DatabaseUnavailable
from app.observability import logs
from app.services.delivery import send_handoff, send_mail
from app.services.outbox import queue
from app.services.outbox.queue import ClaimedMessage

IDLE_POLL_SECONDS = 0.5
FAILURE_BACKOFF_SECONDS = 5
# Several at once, so that an account that is slow to create does not delay the product's next buyer.
MAX_CONCURRENT_SENDS = 8


@dataclass(frozen=True)
class Lane:
    """An independent stream of outbox messages: one product's hand-offs, or all mails.

    The outbox stores `name` with each message. Where `send` raises, `record_failure` is called with the message and the
    exception's name: it reschedules the message, or gives it up.
    """

    name: str
    send: Callable[[ClaimedMessage], object]
    record_failure: Callable[[ClaimedMessage, str], object]


def configured_lanes() -> list[Lane]:
    """Return a lane for each product with a hand-off endpoint, and one for mail where mail is on."""
    send_to_product = partial(send_handoff.send, allow_private=bool(current_app.config["HANDOFF_ALLOW_PRIVATE"]))
    lanes = [
        Lane(queue.handoff_lane(code), partial(send_to_product, endpoint), send_handoff.reschedule_or_fail)
        for code, endpoint in products.current().handoff_endpoints.items()
    ]
    if products.current().sends_mail:
        send = partial(send_mail.send, site_url=current_app.config["SITE_URL"])
        lanes.append(Lane(queue.MAIL_LANE, send, send_mail.reschedule_or_fail))
    return lanes


def start(app: Flask, stop: threading.Event) -> list[threading.Thread]:
    """Start and return a thread for each lane; it ends once `stop` is set and its running sends have finished."""
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
            # Claim only when a thread is free: a message that waits for one would outlive its lease.
            free.acquire()
            # `stop` may have been set while all threads were busy.
            claimed = None if stop.is_set() else _claim_next(lane, stop)
            if claimed is None:
                free.release()
                continue
            pool.submit(_send_claimed, app, lane, claimed).add_done_callback(lambda _: free.release())


def _claim_next(lane: Lane, stop: threading.Event) -> ClaimedMessage | None:
    try:
        claimed = queue.claim(lane.name)
    except Exception as error:  # noqa: BLE001  # a message that fails must not stop its lane
        logs.chore_failed(lane.name, error)
        stop.wait(FAILURE_BACKOFF_SECONDS)
        return None
    if claimed is None:
        stop.wait(IDLE_POLL_SECONDS)
    return claimed


def _send_claimed(app: Flask, lane: Lane, claimed: ClaimedMessage) -> None:
    with app.app_context():
        error = _run_and_log_error(lane, lambda: lane.send(claimed))
        # While the database is down, no failure can be recorded: the message is due again when its lease ends.
        if error is not None and not isinstance(error, DatabaseUnavailable):
            _run_and_log_error(lane, lambda: lane.record_failure(claimed, type(error).__name__))


def _run_and_log_error(lane: Lane, work: Callable[[], object]) -> Exception | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001  # a message that fails must not stop its lane
        logs.chore_failed(lane.name, error)
        return error
    return None
