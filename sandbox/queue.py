"""The SQS events queue and its dead-letter queue, simulated by moto in this process."""

import json
from typing import NamedTuple

from moto.sqs.models import Message, Queue, sqs_backends

from sandbox.events import MessageState, QueueMessage
from sandbox.seller_account import QUEUE_NAME, REGION
from sandbox.seller_account import SELLER_ACCOUNT_ID as ACCOUNT_ID

DEAD_LETTER_SUFFIX = "dead-letters"
VISIBILITY_TIMEOUT_SECONDS = 60
# SQS moves a message to the dead-letter queue after this many reads without a delete.
MAX_RECEIVE_COUNT = 10
# The id tells the doctor that events arrive without an EventBridge rule. The statement changes nothing: moto hides a
# policy without one.
POLICY = {
    "Version": "2012-10-17",
    "Id": "pretend-aws-marketplace",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT_ID}, "Action": "sqs:*", "Resource": "*"}],
}


class MessageStatus(NamedTuple):
    """The state of a message in the queue."""

    state: MessageState
    reads: int


class EventsQueue:
    """A queue and its dead-letter queue. SQS clients can reach them between `register` and `unregister`."""

    def __init__(self) -> None:
        # moto itself creates its queues like this, although the class is declared abstract.
        self._dead_letter_queue = Queue(f"{QUEUE_NAME}-{DEAD_LETTER_SUFFIX}", REGION, ACCOUNT_ID)  # type: ignore[abstract]
        self._queue = Queue(QUEUE_NAME, REGION, ACCOUNT_ID, VisibilityTimeout=VISIBILITY_TIMEOUT_SECONDS)  # type: ignore[abstract]
        self._queue.dead_letter_queue = self._dead_letter_queue
        self._queue.policy = json.dumps(POLICY)

    @property
    def path(self) -> str:
        """The path of the queue's URL."""
        return f"/{ACCOUNT_ID}/{self._queue.name}"

    def register(self) -> None:
        """Make the queue available to SQS clients. A second sandbox of this process gets a numbered queue name."""
        registry = sqs_backends[ACCOUNT_ID][REGION].queues
        candidates = (QUEUE_NAME, *(f"{QUEUE_NAME}-{number}" for number in range(2, 100)))
        free_name = next(name for name in candidates if name not in registry)
        self._queue.name = free_name
        self._dead_letter_queue.name = f"{free_name}-{DEAD_LETTER_SUFFIX}"
        for queue in (self._dead_letter_queue, self._queue):
            queue.queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue.name}"
            registry[queue.name] = queue
        self._queue.redrive_policy = {
            "deadLetterTargetArn": self._dead_letter_queue.queue_arn,
            "maxReceiveCount": MAX_RECEIVE_COUNT,
        }

    def unregister(self) -> None:
        """Hide the queue from SQS clients."""
        registry = sqs_backends[ACCOUNT_ID][REGION].queues
        for queue in (self._queue, self._dead_letter_queue):
            if registry.get(queue.name) is queue:
                del registry[queue.name]

    def put(self, queue_message: QueueMessage, body: str) -> None:
        """Put a message into the queue, or into the dead-letter queue if that is its state."""
        message = Message(queue_message.message_id, body)
        message.mark_sent()
        (self._dead_letter_queue if queue_message.state == "dead_letter" else self._queue).add_message(message)

    def message_statuses(self) -> dict[str, MessageStatus]:
        """Return the status of each message by its id; deleted messages are missing."""
        # The lists are copied because moto changes them meanwhile. The dead-letter queue is read second because moto
        # moves messages there: read first, a message could be missed.
        statuses = {message.id: _message_status(message) for message in list(self._queue._messages)}
        for message in list(self._dead_letter_queue._messages):
            statuses[message.id] = MessageStatus("dead_letter", message.approximate_receive_count)
        return statuses

    def purge(self) -> None:
        """Delete every message. Long polls continue to wait."""
        for queue in (self._queue, self._dead_letter_queue):
            queue._messages = []
            queue._pending_messages = set()


def _message_status(message: Message) -> MessageStatus:
    return MessageStatus("queued" if message.visible else "in_flight", message.approximate_receive_count)
