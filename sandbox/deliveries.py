"""The way of events from AWS into the queue: at once, late, twice or in reverse order."""

import json
from typing import Literal
from uuid import UUID

from sandbox.events import Event, new_message
from sandbox.purchases import DeliveryMode
from sandbox.queue import EventsQueue

ReleaseOrder = Literal["as_happened", "reversed"]


class UnknownEvent(LookupError):
    """The sandbox holds no such event."""


class Deliveries:
    """Sends events, holds them back, and knows how far each has come. It is for one thread at a time."""

    def __init__(self, events: list[Event]) -> None:
        self.queue = EventsQueue()
        self._events = events
        self._requeue_unfinished()

    def deliver(self, events: list[Event], delivery: DeliveryMode) -> None:
        """Deliver the events of one action.

        In reverse order they go together with what is held back of the same purchase: one event alone has no order.
        """
        self._events.extend(events)
        if delivery == "late" or not events:
            return
        if delivery == "reversed":
            events = self.held_back(events[0].purchase_id)[::-1]
        for event in events * (2 if delivery == "twice" else 1):
            self.send(event)

    def send(self, event: Event) -> None:
        """Put one more message that carries the event into the queue."""
        copy = new_message()
        event.copies.append(copy)
        self.queue.put(copy, json.dumps(event.body))

    def release(self, purchase_id: UUID | None, order: ReleaseOrder) -> list[Event]:
        """Send what is held back, of one purchase or of all, and return it as it was sent."""
        events = self.held_back(purchase_id)[:: -1 if order == "reversed" else 1]
        for event in events:
            self.send(event)
        return events

    def held_back(self, purchase_id: UUID | None = None) -> list[Event]:
        """Return what is held back, of one purchase or of all, as it happened."""
        return [event for event in self.refreshed_events(purchase_id) if not event.copies]

    def refreshed_events(self, purchase_id: UUID | None = None) -> list[Event]:
        """Return the events of one purchase or of all, as they happened, each with how far it has come by now."""
        looked = self.queue.message_statuses()
        # Those that seemed done, too: a message on its way to the dead letters is nowhere for a moment.
        for copy in (copy for event in self._events for copy in event.copies):
            seen = looked.get(copy.message_id)
            copy.state, copy.reads = (seen.state, seen.reads) if seen else ("done", copy.reads)
        return [event for event in self._events if purchase_id in (None, event.purchase_id)]

    def get_event(self, event_id: str) -> Event:
        """Return one event.

        Raises:
            UnknownEvent: there is none with that id.
        """
        found = next((event for event in self.refreshed_events() if event.id == event_id), None)
        if found is None:
            raise UnknownEvent(event_id)
        return found

    def reset(self, events: list[Event]) -> None:
        """Begin anew with these events, and with nothing in the queue."""
        self._events = events
        self.queue.purge()

    def _requeue_unfinished(self) -> None:
        # SQS keeps what nobody deleted, so what was in the queue when the sandbox stopped is in it again.
        for event in self._events:
            for copy in event.copies:
                if copy.state != "done":
                    self.queue.put(copy, json.dumps(event.body))
