"""One event that AWS Marketplace tells the seller: what it says, and how far it has come on its way."""

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

# The least advanced copy says how far the event is.
STATE_ORDER: tuple[MessageState, ...] = ("queued", "in_flight", "dead_letter", "done")
IN_TRANSIT_STATES = ("queued", "in_flight")
# A page that waits for an event looks again this long. Without a worker it would look for ever.
REFRESH_PERIOD = timedelta(seconds=20)


@dataclass(frozen=True)
class EventDraft:
    """What an event is to say; AWS's clock and an id are still to be added."""

    kind: str
    subject: str
    content: dict[str, Any]


class QueueMessage(BaseModel):
    """One message in the queue that carries an event. SQS may deliver the same event in more than one."""

    message_id: str
    sent_at: datetime
    state: MessageState = "queued"
    reads: int = 0


class Event(BaseModel):
    """One event of a purchase. Without a copy it is held back."""

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
        """How far the event has come."""
        return min((copy.state for copy in self.copies), key=STATE_ORDER.index, default="held")

    @property
    def is_in_transit(self) -> bool:
        """Whether something is about to become of the event."""
        now = datetime.now(UTC)
        return any(copy.state in IN_TRANSIT_STATES and now - copy.sent_at < REFRESH_PERIOD for copy in self.copies)

    @property
    def body_json(self) -> str:
        """What the queue carries, laid out for people."""
        return json.dumps(self.body, indent=2)

    def to_json(self) -> dict[str, Any]:
        """Return the event as the JSON API shows it."""
        return {"state": self.state, **self.model_dump(mode="json")}


def new_message() -> QueueMessage:
    """Return a message that is sent now."""
    return QueueMessage(message_id=str(uuid4()), sent_at=datetime.now(UTC))


def latest_event_time(purchase: Purchase, events: list[Event]) -> datetime:
    """Return when the last thing happened to the purchase."""
    return max((event.happened_at for event in events if event.purchase_id == purchase.id), default=purchase.bought_at)
