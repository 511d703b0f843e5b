"""The events' queue: SQS, from which AWS Marketplace's notifications come.

Follows https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from flask import Flask, current_app

from app.aws import clients, errors
from app.aws.clients import CallTimeouts
from app.config.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

log = structlog.get_logger()

BATCH_SIZE = 10
# The longest that SQS waits for a message; the answer takes a little longer.
LONG_POLL_SECONDS = 20
RECEIVE_TIMEOUTS = CallTimeouts(3, LONG_POLL_SECONDS + 10)
CALL_TIMEOUTS = CallTimeouts(3, 10, max_attempts=3)
# For so long nobody else gets a message that was received.
VISIBILITY_SECONDS = 60
# The reason goes into a message attribute, of which a person reads the beginning.
MAX_REASON_LENGTH = 1000


@dataclass(frozen=True)
class Message:
    """One message: SQS's id of it, what it says, when it was sent, and the receipt that deletes it."""

    id: str
    body: str
    sent_at: datetime
    receipt_handle: str


class Queue:
    """The queue of one process."""

    def __init__(self, url: str, visibility_seconds: int = VISIBILITY_SECONDS) -> None:
        self.visibility_seconds = visibility_seconds
        # Set while nothing is under way but the wait for messages.
        self.is_polling = threading.Event()
        self.url = url
        self._dead_letter_queue_url: str | None = None

    def receive(self) -> list[Message]:
        """Return up to ten messages, for a minute nobody else's; waits for the first up to 20 seconds.

        Raises:
            MarketplaceError: SQS could not be asked, or refused.
        """
        self.is_polling.set()
        try:
            with errors.translate():
                answer = _sqs_client(RECEIVE_TIMEOUTS).receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=BATCH_SIZE,
                    WaitTimeSeconds=LONG_POLL_SECONDS,
                    VisibilityTimeout=self.visibility_seconds,
                    MessageSystemAttributeNames=["SentTimestamp"],
                )
                return [_parse_message(found) for found in answer.get("Messages", [])]
        finally:
            self.is_polling.clear()

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete the messages; one that SQS does not delete comes again.

        Raises:
            MarketplaceError: SQS could not be asked, or refused.
        """
        if not messages:
            return
        entries = [
            {"Id": str(place), "ReceiptHandle": message.receipt_handle} for place, message in enumerate(messages)
        ]
        with errors.translate():
            answer = _sqs_client(CALL_TIMEOUTS).delete_message_batch(QueueUrl=self.url, Entries=entries)  # type: ignore[arg-type]
        for failed in answer.get("Failed", []):
            log.warning("message.not_deleted", message=messages[int(failed["Id"])].id, code=failed.get("Code"))

    def extend(self, messages: Sequence[Message]) -> None:
        """Keep the messages from everybody else for another minute from now.

        Raises:
            MarketplaceError: SQS could not be asked, or refused.
        """
        self._change_visibility(messages, self.visibility_seconds)

    def release(self, messages: Sequence[Message]) -> None:
        """Let whoever asks next have the messages.

        Raises:
            MarketplaceError: SQS could not be asked, or refused.
        """
        self._change_visibility(messages, 0)

    def dead_letter(self, message: Message, reason: str) -> bool:
        """Move the message to the dead-letter queue with the reason beside it; return False where there is none.

        Raises:
            MarketplaceError: SQS could not be asked, or refused.
        """
        with errors.translate():
            url = self._dead_letter_queue_url = self._dead_letter_queue_url or self._find_dead_letter_queue()
            if url is None:
                return False
            attribute = {"DataType": "String", "StringValue": _sanitise_reason(reason)}
            _sqs_client(CALL_TIMEOUTS).send_message(
                QueueUrl=url,
                MessageBody=message.body,
                MessageAttributes={"Reason": attribute},  # type: ignore[dict-item]
            )
        self.delete([message])
        return True

    def _change_visibility(self, messages: Sequence[Message], seconds: int) -> None:
        if not messages:
            return
        entries = [
            {"Id": str(place), "ReceiptHandle": message.receipt_handle, "VisibilityTimeout": seconds}
            for place, message in enumerate(messages)
        ]
        with errors.translate():
            _sqs_client(CALL_TIMEOUTS).change_message_visibility_batch(QueueUrl=self.url, Entries=entries)  # type: ignore[arg-type]

    def _find_dead_letter_queue(self) -> str | None:
        attributes = _sqs_client(CALL_TIMEOUTS).get_queue_attributes(
            QueueUrl=self.url, AttributeNames=["RedrivePolicy"]
        )
        policy = attributes.get("Attributes", {}).get("RedrivePolicy")
        if not policy:
            return None
        *_, account_id, name = json.loads(policy)["deadLetterTargetArn"].split(":")
        return _sqs_client(CALL_TIMEOUTS).get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account_id)["QueueUrl"]


def init_app(app: Flask, settings: Settings) -> None:
    """Keep the queue on the application, where one is set; nobody asks it before the worker does."""
    app.extensions["aws.queue"] = Queue(settings.events_queue_url) if settings.events_queue_url else None


def current() -> Queue | None:
    """Return the running application's queue, if it has one."""
    queue: Queue | None = current_app.extensions["aws.queue"]
    return queue


def _sqs_client(timeouts: CallTimeouts) -> "SQSClient":
    return clients.current().sqs(timeouts)


def _parse_message(response: "MessageTypeDef") -> Message:
    sent_at = int(response.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
    return Message(
        response["MessageId"], response["Body"], datetime.fromtimestamp(sent_at, UTC), response["ReceiptHandle"]
    )


def _sanitise_reason(reason: str) -> str:
    # SQS refuses control characters, and an attribute without a value.
    return "".join(c if c.isprintable() else " " for c in reason)[:MAX_REASON_LENGTH] or "unknown"
