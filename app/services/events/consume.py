"""Consuming: takes AWS Marketplace's events, and SES's bounces, from SQS; deletes each only once it is on disk."""

import threading
import time
from contextlib import suppress
from datetime import datetime

import structlog

from app.aws import queue
from app.aws.queue import Message, Queue
from app.errors import DatabaseUnavailable, MarketplaceError
from app.services.events import apply
from app.services.operations import heartbeats
from app.services.outbox import bounces
from app.services.purchases import aws_event
from app.services.purchases.aws_event import AwsEvent

log = structlog.get_logger()

# Of the visibility timeout, a second: buyers wait for what a transaction has locked. One slow event may take longer.
TRANSACTION_SHARE = 1 / 60


def poll(stop: threading.Event) -> bool:
    """Receive messages, apply them, and delete those that are on disk; return whether a queue is set.

    Waits up to 20 seconds for the first message. A message that is not an event goes to the dead-letter queue with the
    reason. A message whose applying fails stays in the queue, and SQS sends it again. Messages that come after the
    worker was told to stop are released. An unavailable database is found before anything is received, so that SQS
    counts no attempt for any message.

    Raises:
        MarketplaceError: SQS could not be reached, or refused.
    """
    events_queue = queue.current()
    if events_queue is None:
        return False
    heartbeats.record("events")
    messages = events_queue.receive()
    if stop.is_set():
        events_queue.release(messages)
    else:
        _process(events_queue, messages)
    return True


def is_idle() -> bool:
    """Return whether the worker only waits for messages: it can be stopped without a message being worked on."""
    events_queue = queue.current()
    return events_queue is not None and events_queue.is_polling.is_set()


def _process(events_queue: Queue, messages: list[Message]) -> None:
    extended_at, done, place = time.monotonic(), list[Message](), 0
    try:
        done.extend(_try_apply_together(messages, events_queue.visibility_seconds * TRANSACTION_SHARE))
        messages = [message for message in messages if message not in done]
        for place, message in enumerate(messages):
            # Half of the visibility timeout is left for one slow event. Then SQS would give the rest to another worker.
            if time.monotonic() - extended_at > events_queue.visibility_seconds / 2:
                events_queue.delete(done)
                done.clear()
                events_queue.extend(messages[place:])
                extended_at = time.monotonic()
            if _try_apply(events_queue, message):
                done.append(message)
    except DatabaseUnavailable:
        events_queue.release(messages[place:])
        raise
    finally:
        events_queue.delete(done)


def _try_apply_together(messages: list[Message], max_seconds: float) -> list[Message]:
    """Apply the messages that are events in one transaction, until so many seconds have passed.

    Returns those that are on disk. Where one of them fails, none are: each then needs a transaction of its own.
    """
    events = []
    for message in messages:
        with suppress(aws_event.InvalidEvent):
            body = aws_event.parse_json(message.body)
            events.append((aws_event.parse_body(body, message.id, message.sent_at), message))
    # What one event changes is locked until all are stored: workers that have events of the same customers take them in
    # the same order. A customer's are in AWS's order, so that the product is sent what happened in that order.
    events.sort(key=lambda pair: _order(pair[0]))
    try:
        count = apply.ingest_all([event for event, _ in events], max_seconds) if events else 0
    except Exception as error:  # noqa: BLE001  # one event's fault must not hold up the others
        log.info("events.separated", events=len(events), fault=type(error).__name__)
        return []
    return [message for _, message in events[:count]]


def _order(event: AwsEvent) -> tuple[str, str, datetime, str]:
    return event.customer_aws_account_id or "", event.customer_identifier or "", event.happened_at, event.aws_id


def _try_apply(events_queue: Queue, message: Message) -> bool:
    try:
        body = aws_event.parse_json(message.body)
        if body.get("source") == "aws.ses" and (bounce := bounces.parse(body)):
            bounces.record(bounce)
        else:
            apply.ingest(aws_event.parse_body(body, message.id, message.sent_at))
    except aws_event.InvalidEvent as error:
        _dead_letter(events_queue, message, error.code)
        return False
    except DatabaseUnavailable:
        raise
    except Exception as error:  # one event's fault must not hold up the others
        log.error("event.failed", message=message.id, fault=type(error).__name__, exc_info=error)
        return False
    return True


def _dead_letter(events_queue: Queue, message: Message, reason: str) -> None:
    message_log = log.bind(message=message.id, reason=reason)
    try:
        was_moved = events_queue.dead_letter(message, reason)
    except MarketplaceError as error:
        message_log.error("message.dead_letter_failed", fault=type(error).__name__, code=error.code)
        return
    message_log.error("message.dead_lettered" if was_moved else "message.no_dead_letter_queue")
