"""Receives AWS Marketplace's events from the SQS queue at `EVENTS_QUEUE_URL`.

Follows https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import structlog
from flask import Flask, current_app

from app.aws import clients
from app.aws.clients import CallTimeouts
from app.config.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

log = structlog.get_logger()

BATCH_SIZE = 10
# The longest that SQS waits for a message. The response takes a little longer.
LONG_POLL_SECONDS = 20
RECEIVE_TIMEOUTS = CallTimeouts(3, LONG_POLL_SECONDS + 10)
CALL_TIMEOUTS = CallTimeouts(3, 10, max_attempts=3)
# SQS hides a received message from other workers for so long.
VISIBILITY_SECONDS = 60
MAX_REASON_LENGTH = 1000


@dataclass(frozen=True)
class Message:
    """One SQS message. `receipt_handle` is what SQS needs to delete or extend it."""

    id: str
    body: str
    sent_at: datetime
    receipt_handle: str


class Queue:
    """The events' queue, as one process uses it.

    Every call raises MarketplaceError where SQS refuses, or no response comes.
    """

    def __init__(self, url: str, visibility_seconds: int = VISIBILITY_SECONDS) -> None:
        self.visibility_seconds = visibility_seconds
        # Set while the worker only waits for messages: it can be stopped then without losing work.
        self.is_polling = threading.Event()
        self.url = url
        self._dead_letter_queue_url: str | None = None

    def receive(self) -> list[Message]:
        """Return up to ten messages, after a wait of up to 20 seconds, hidden from other workers for a minute."""
        self.is_polling.set()
        try:
            with clients.sqs_calls(RECEIVE_TIMEOUTS) as sqs:
                response = sqs.receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=BATCH_SIZE,
                    WaitTimeSeconds=LONG_POLL_SECONDS,
                    VisibilityTimeout=self.visibility_seconds,
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
                return [_parse_message(message) for message in response.get("Messages", [])]
        finally:
            self.is_polling.clear()

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete the messages. SQS delivers again those that it fails to delete."""
        if not messages:
            return
        entries = _batch(messages)
        with clients.sqs_calls(CALL_TIMEOUTS) as sqs:
            response = sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        for failed in response.get("Failed", []):
            log.warning("message.not_deleted", message=messages[int(failed["Id"])].id, code=failed.get("Code"))

    def release(self, messages: Sequence[Message]) -> None:
        """Make the messages visible at once, to any worker."""
        self.extend(messages, 0)

    def extend(self, messages: Sequence[Message], seconds: int | None = None) -> None:
        """Hide the messages from other workers for so long from now, or for another minute."""
        if messages:
            entries = _batch(messages, VisibilityTimeout=self.visibility_seconds if seconds is None else seconds)
            with clients.sqs_calls(CALL_TIMEOUTS) as sqs:
                sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def dead_letter(self, message: Message, reason: str) -> bool:
        """Move the message to the dead-letter queue, with the reason as attribute `Reason`.

        Returns False where the queue has no dead-letter queue.
        """
        with clients.sqs_calls(CALL_TIMEOUTS) as sqs:
            url = self._dead_letter_queue_url = self._dead_letter_queue_url or self._find_dead_letter_queue(sqs)
            if url is None:
                return False
            # SQS refuses control characters, and an attribute with an empty value. A person reads the beginning.
            text = "".join(c if c.isprintable() else " " for c in reason)[:MAX_REASON_LENGTH] or "unknown"
            sqs.send_message(
                QueueUrl=url,
                MessageBody=message.body,
                MessageAttributes={"Reason": {"DataType": "String", "StringValue": text}},
            )
        self.delete([message])
        return True

    def _find_dead_letter_queue(self, sqs: "SQSClient") -> str | None:
        response = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["RedrivePolicy"])
        policy = response.get("Attributes", {}).get("RedrivePolicy")
        if not policy:
            return None
        *_, account_id, name = json.loads(policy)["deadLetterTargetArn"].split(":")
        return sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account_id)["QueueUrl"]


def init_app(app: Flask, settings: Settings) -> None:
    """Add the queue to the application, or None where `EVENTS_QUEUE_URL` is not set. This calls nothing."""
    app.extensions["aws.queue"] = Queue(settings.events_queue_url) if settings.events_queue_url else None


def current() -> Queue | None:
    """Return the running application's queue, or None where `EVENTS_QUEUE_URL` is not set."""
    return cast(Queue | None, current_app.extensions["aws.queue"])


def _parse_message(response: "MessageTypeDef") -> Message:
    sent_at = datetime.fromtimestamp(int(response.get("Attributes", {}).get("SentTimestamp", 0)) / 1000, UTC)
    return Message(response["MessageId"], response["Body"], sent_at, response["ReceiptHandle"])


def _batch(messages: Sequence[Message], **options: int) -> list[Any]:
    # SQS names a failed entry by its id.
    return [{"Id": str(i), "ReceiptHandle": message.receipt_handle, **options} for i, message in enumerate(messages)]
