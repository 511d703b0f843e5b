"""An SQS queue over HTTP for real boto3: moto's loses messages when two consumers receive at once.

A message that is not deleted within 1 to 4 seconds is delivered again, whatever visibility timeout the worker request
for. With a minute a run would mostly wait; and so a slow worker's messages are delivered again while it applies them.
"""

import json
import random
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from tests.support import aws_http_server

ACCOUNT_ID, QUEUE_NAME = "123456789012", "foyer-events"
DEAD_LETTER_QUEUE_NAME = f"{QUEUE_NAME}-dead-letters"
# Minimum and maximum visibility timeout: after it the messages of a killed worker are delivered again.
VISIBILITY_SECONDS = (1.0, 4.0)
EMPTY_RECEIVE_SECONDS = 0.05


@dataclass
class QueuedMessage:
    """A message, invisible until `visible_at`."""

    body: str
    id: str = field(default_factory=lambda: str(uuid4()))
    visible_at: float = 0
    sent_ms: int = field(default_factory=lambda: int(time.time() * 1000))

    def as_response(self) -> dict[str, Any]:
        """Return the message as ReceiveMessage has it."""
        # Every delivery has the same receipt handle, because SQS lets an older one delete the message for a while, too.
        message = {"MessageId": self.id, "ReceiptHandle": self.id, "Body": self.body}
        return {**message, "Attributes": {"SentTimestamp": str(self.sent_ms)}}


class FakeQueue:
    """A queue and its dead-letter queue, served in a thread for the time of a `with` block."""

    def __init__(self) -> None:
        self.dead_lettered: list[str] = []
        self.deleted_count = 0
        self._messages: dict[str, QueuedMessage] = {}
        self._lock = threading.Lock()
        self._server = aws_http_server.AwsHttpServer(self._respond)

    def send(self, bodies: list[str]) -> None:
        with self._lock:
            self._messages |= {message.id: message for message in map(QueuedMessage, bodies)}

    @property
    def remaining(self) -> int:
        """The number of messages not deleted."""
        return len(self._messages)

    @property
    def in_flight(self) -> int:
        """The number of messages received and not deleted, whose visibility timeout is not over."""
        now = time.monotonic()
        with self._lock:
            return sum(message.visible_at > now for message in self._messages.values())

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which a worker reads this queue."""
        return {
            "AWS_ENDPOINT_URL_SQS": self._server.url,
            "EVENTS_QUEUE_URL": f"{self._server.url}/{ACCOUNT_ID}/{QUEUE_NAME}",
        }

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, traceback)

    def _respond(self, head: bytes, body: bytes) -> tuple[float, bytes]:
        _, _, after = head.partition(b"AmazonSQS.")
        operation = after.partition(b"\r\n")[0].decode()
        with self._lock:
            response: dict[str, Any] = getattr(self, f"_{operation}")(json.loads(body))
        return 0 if response else EMPTY_RECEIVE_SECONDS, json.dumps(response).encode()

    # The methods below are named after the SQS operation they answer.

    def _ReceiveMessage(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        now = time.monotonic()
        visible = [message for message in self._messages.values() if message.visible_at <= now]
        delivered = random.sample(visible, min(request["MaxNumberOfMessages"], len(visible)))
        for message in delivered:
            message.visible_at = now + random.uniform(*VISIBILITY_SECONDS)  # noqa: S311
        return {"Messages": [message.as_response() for message in delivered]} if delivered else {}

    def _DeleteMessageBatch(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for entry in request["Entries"]:
            self.deleted_count += self._messages.pop(entry["ReceiptHandle"], None) is not None
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    def _ChangeMessageVisibilityBatch(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for entry in request["Entries"]:
            if message := self._messages.get(entry["ReceiptHandle"]):
                seconds = min(entry["VisibilityTimeout"], random.uniform(*VISIBILITY_SECONDS))  # noqa: S311
                message.visible_at = time.monotonic() + seconds
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    def _SendMessage(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert request["QueueUrl"].endswith(DEAD_LETTER_QUEUE_NAME)
        self.dead_lettered.append(request["MessageBody"])
        return {"MessageId": str(uuid4()), "MD5OfMessageBody": ""}

    def _GetQueueAttributes(self, _request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:{DEAD_LETTER_QUEUE_NAME}"
        return {"Attributes": {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})}}

    def _GetQueueUrl(self, request: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"QueueUrl": f"{self._server.url}/{ACCOUNT_ID}/{request['QueueName']}"}
