"""Sends messages to the sandbox's events queue and inspects what is left in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3

from sandbox.server import Sandbox

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class EventsQueue:
    """The sandbox's queue and its dead-letter queue, over real HTTP."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.url = sandbox.queue_url
        self._sqs: SQSClient = boto3.client(
            "sqs",
            endpoint_url=sandbox.aws_url,
            region_name="us-east-1",
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        )

    def send(self, *bodies: dict[str, Any] | str) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self._sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def message_counts(self) -> tuple[int, int]:
        """Return how many messages are visible, and how many are received but not deleted."""
        counts = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return int(counts["ApproximateNumberOfMessages"]), int(counts["ApproximateNumberOfMessagesNotVisible"])

    def dead_letters(self) -> list[tuple[str, str]]:
        """Return the body of each dead-lettered message and the reason it has as an attribute."""
        response = self._sqs.receive_message(
            QueueUrl=f"{self.url}-dead-letters", MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (message["Body"], message["MessageAttributes"]["Reason"]["StringValue"])
            for message in response.get("Messages", [])
        ]

    def receive_at_once(self) -> int:
        """Return how many messages a second consumer receives now; they stay visible."""
        response = self._sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=0, VisibilityTimeout=0
        )
        return len(response.get("Messages", []))

    @contextmanager
    def without_dead_letter_queue(self) -> Iterator[None]:
        """Detach the dead-letter queue, and attach it again: later tests share this queue."""
        response = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["RedrivePolicy"])
        self._sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"RedrivePolicy": ""})
        yield
        self._sqs.set_queue_attributes(QueueUrl=self.url, Attributes=response["Attributes"])

    def close(self) -> None:
        self._sqs.close()
