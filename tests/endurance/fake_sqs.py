"""An SQS queue of this process, which real boto3 reads over HTTP: moto's loses messages when two callers meet in it.

What nobody has deleted within a few seconds is handed out again, whatever the worker asked for: of a minute a run would
mostly be waiting, and so whoever is slow has its messages doubled while it works on them.
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
# Late by so many seconds, at the least and at the most, comes what a killed worker had received.
VISIBILITY_SECONDS = (1.0, 4.0)
EMPTY_RECEIVE_SECONDS = 0.05


@dataclass
class QueuedMessage:
    """One message, and from when on it is handed out."""

    body: str
    id: str = field(default_factory=lambda: str(uuid4()))
    visible_at: float = 0
    sent_ms: int = field(default_factory=lambda: int(time.time() * 1000))

    def as_response(self) -> dict[str, Any]:
        """Return it as ReceiveMessage answers it."""
        # Any receipt deletes it, as SQS allows for a while: an id for all of them is enough.
        told = {"MessageId": self.id, "ReceiptHandle": self.id, "Body": self.body}
        return {**told, "Attributes": {"SentTimestamp": str(self.sent_ms)}}


class FakeQueue:
    """A queue and its dead letters, served in a thread between `with` and its end."""

    def __init__(self) -> None:
        self.dead_lettered: list[str] = []
        self.deleted_count = 0
        self._messages: dict[str, QueuedMessage] = {}
        self._lock = threading.Lock()
        self._server = aws_http_server.ThreadedServer(self._respond)

    def send(self, bodies: list[str]) -> None:
        """Send so many messages."""
        with self._lock:
            self._messages |= {message.id: message for message in map(QueuedMessage, bodies)}

    @property
    def remaining(self) -> int:
        """How many messages nobody has deleted."""
        return len(self._messages)

    @property
    def in_flight(self) -> int:
        """How many of them somebody has received."""
        now = time.monotonic()
        with self._lock:
            return sum(message.visible_at > now for message in self._messages.values())

    @property
    def environment(self) -> dict[str, str]:
        """What leads the worker here."""
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
        asked = json.loads(body)
        with self._lock:
            answer: dict[str, Any] = getattr(self, f"_{operation}")(asked)
        return 0 if answer else EMPTY_RECEIVE_SECONDS, json.dumps(answer).encode()

    # Each has the name of the operation that it answers.

    def _ReceiveMessage(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        now = time.monotonic()
        visible = [message for message in self._messages.values() if message.visible_at <= now]
        handed_out = random.sample(visible, min(asked["MaxNumberOfMessages"], len(visible)))
        for message in handed_out:
            message.visible_at = now + random.uniform(*VISIBILITY_SECONDS)  # noqa: S311
        return {"Messages": [message.as_response() for message in handed_out]} if handed_out else {}

    def _DeleteMessageBatch(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for entry in asked["Entries"]:
            self.deleted_count += self._messages.pop(entry["ReceiptHandle"], None) is not None
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    def _ChangeMessageVisibilityBatch(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for entry in asked["Entries"]:
            if message := self._messages.get(entry["ReceiptHandle"]):
                seconds = min(entry["VisibilityTimeout"], random.uniform(*VISIBILITY_SECONDS))  # noqa: S311
                message.visible_at = time.monotonic() + seconds
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    def _SendMessage(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert asked["QueueUrl"].endswith(DEAD_LETTER_QUEUE_NAME)
        self.dead_lettered.append(asked["MessageBody"])
        return {"MessageId": str(uuid4()), "MD5OfMessageBody": ""}

    def _GetQueueAttributes(self, _asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:{DEAD_LETTER_QUEUE_NAME}"
        return {"Attributes": {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})}}

    def _GetQueueUrl(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"QueueUrl": f"{self._server.url}/{ACCOUNT_ID}/{asked['QueueName']}"}
