"""An event of AWS Marketplace: its content, the messages that carry it, and their state in the queue."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel

from sandbox.purchases import Purchase

Channel = Literal["eventbridge", "sns"]
MessageState = Literal["queued", "in_flight", "dead_letter", "done"]
EventState = Literal["held", "queued", "in_flight", "dead_letter", "done"]

# From least to most advanced. An event has the state of its least advanced message.
STATE_ORDER: tuple[MessageState, ...] = ("queued", "in_flight", "dead_letter", "done")
IN_TRANSIT_STATES = ("queued", "in_flight")
# How long a page keeps refreshing for an event; without a limit it would never stop when no worker runs.
REFRESH_PERIOD = timedelta(seconds=20)


@dataclass(frozen=True)
class EventDraft:
    """The content of an event, without its id and time."""

    kind: str
    subject: str
    content: dict[str, Any]


class QueueMessage(BaseModel):
    """One message that carries an event. SQS may deliver the same event in several messages."""

    message_id: str
    sent_at: datetime
    state: MessageState = "queued"
    reads: int = 0


class Event(BaseModel):
    """One event of a purchase. An event without copies is held back."""

    id: str
    purchase_id: UUID
    action: str
    channel: Channel
    kind: str
    happened_at: datetime
    body: dict[str, Any]
    copies: list[QueueMessage] = []

    @property
    def state(self) -> EventState:
        """The state of the least advanced message."""
        return min((copy.state for copy in self.copies), key=STATE_ORDER.index, default="held")

    @property
    def is_in_transit(self) -> bool:
        """Whether the worker can be expected to read the event soon."""
        now = datetime.now(UTC)
        return any(copy.state in IN_TRANSIT_STATES and now - copy.sent_at < REFRESH_PERIOD for copy in self.copies)

    @property
    def body_json(self) -> str:
        """The body, indented for reading."""
        return json.dumps(self.body, indent=2)

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the JSON API: those of the state file, and `state`."""
        return {"state": self.state, **self.model_dump(mode="json")}


def new_message() -> QueueMessage:
    """Return a message with a fresh id that is sent now."""
    return QueueMessage(message_id=str(uuid4()), sent_at=datetime.now(UTC))


def latest_event_time(purchase: Purchase, events: list[Event]) -> datetime:
    """Return the time of the purchase's latest event, or of the order if there is none."""
    return max((event.happened_at for event in events if event.purchase_id == purchase.id), default=purchase.bought_at)


def format_seconds(at: datetime) -> str:
    """Return a time as EventBridge prints that of an event: UTC, whole seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def format_milliseconds(at: datetime) -> str:
    """Return a time as SNS, SES and the agreements of EventBridge print it: UTC, milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
