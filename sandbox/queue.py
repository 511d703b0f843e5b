"""The SQS queue that AWS Marketplace's events come into, and its dead letters: moto's, within this process."""

from typing import NamedTuple

from moto.sqs.models import Message, Queue, sqs_backends

from sandbox.events import MessageState, QueueMessage
from sandbox.purchases import SELLER_ACCOUNT_ID as ACCOUNT_ID

REGION = "us-east-1"
QUEUE_NAME = "foyer-events"
DEAD_LETTER_SUFFIX = "dead-letters"
VISIBILITY_TIMEOUT_SECONDS = 60
# A message that was read so often and never deleted is put aside.
MAX_RECEIVE_COUNT = 10


class MessageStatus(NamedTuple):
    """What a look into the queue says of a message."""

    state: MessageState
    reads: int


class EventsQueue:
    """A queue and its dead letters. Other programs reach them from `open` until `close`."""

    def __init__(self) -> None:
        # moto makes its queues like this, too, whatever it declares as abstract.
        self._dead_letter_queue = Queue(f"{QUEUE_NAME}-{DEAD_LETTER_SUFFIX}", REGION, ACCOUNT_ID)  # type: ignore[abstract]
        self._queue = Queue(QUEUE_NAME, REGION, ACCOUNT_ID, VisibilityTimeout=VISIBILITY_TIMEOUT_SECONDS)  # type: ignore[abstract]
        self._queue.dead_letter_queue = self._dead_letter_queue

    @property
    def path(self) -> str:
        """The path of the queue's URL."""
        return f"/{ACCOUNT_ID}/{self._queue.name}"

    def register(self) -> None:
        """Let SQS's calls find the queue: under a name with a number where another sandbox of this process runs."""
        known = sqs_backends[ACCOUNT_ID][REGION].queues
        name = next(name for name in (QUEUE_NAME, *(f"{QUEUE_NAME}-{n}" for n in range(2, 100))) if name not in known)
        for queue, its_name in ((self._dead_letter_queue, f"{name}-{DEAD_LETTER_SUFFIX}"), (self._queue, name)):
            queue.name = its_name
            queue.queue_arn = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{its_name}"
            known[its_name] = queue
        self._queue.redrive_policy = {
            "deadLetterTargetArn": self._dead_letter_queue.queue_arn,
            "maxReceiveCount": MAX_RECEIVE_COUNT,
        }

    def unregister(self) -> None:
        """Take the queue away from SQS's calls."""
        known = sqs_backends[ACCOUNT_ID][REGION].queues
        for queue in (self._queue, self._dead_letter_queue):
            if known.get(queue.name) is queue:
                del known[queue.name]

    def put(self, queue_message: QueueMessage, body: str) -> None:
        """Put a message into the queue, or back among the dead letters where it was."""
        message = Message(queue_message.message_id, body)
        message.mark_sent()
        (self._dead_letter_queue if queue_message.state == "dead_letter" else self._queue).add_message(message)

    def message_statuses(self) -> dict[str, MessageStatus]:
        """Return what is seen of each message; a message that is not seen has been deleted."""
        # Copies, because moto changes these lists meanwhile; and the dead letters second, where it moves messages to.
        here = {message.id: _message_status(message) for message in list(self._queue._messages)}
        dead = list(self._dead_letter_queue._messages)
        return here | {message.id: MessageStatus("dead_letter", message.approximate_receive_count) for message in dead}

    def purge(self) -> None:
        """Throw every message away. Whoever waits for one goes on waiting."""
        for queue in (self._queue, self._dead_letter_queue):
            queue._messages = []
            queue._pending_messages = set()


def _message_status(message: Message) -> MessageStatus:
    return MessageStatus("queued" if message.visible else "in_flight", message.approximate_receive_count)
