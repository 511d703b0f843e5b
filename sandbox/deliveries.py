"""Delivers events to the queue: at once, late, twice or in reverse order."""

import json
from typing import Literal
from uuid import UUID

from sandbox.events import Event, new_message
from sandbox.purchases import DeliveryMode
from sandbox.queue import EventsQueue

ReleaseOrder = Literal["as_happened", "reversed"]


class UnknownEvent(LookupError):
    """The sandbox has no event with that id."""


class Deliveries:
    """Sends events or holds them back, and tracks their state. Not thread-safe: Marketplace locks around it."""

    def __init__(self, events: list[Event]) -> None:
        self.queue = EventsQueue()
        self._events = events
        self._requeue_unfinished()

    def deliver(self, events: list[Event], delivery: DeliveryMode) -> None:
        """Deliver the events of one action.

        "reversed" also sends the held events of the same purchase, so that even an action with a single event can
        overtake an earlier one.
        """
        self._events.extend(events)
        if delivery == "late" or not events:
            return
        if delivery == "reversed":
            events = self.held_back(events[0].purchase_id)[::-1]
        for event in events * (2 if delivery == "twice" else 1):
            self.send(event)

    def send(self, event: Event) -> None:
        """Put one more message with the event into the queue."""
        copy = new_message()
        event.copies.append(copy)
        self.queue.put(copy, json.dumps(event.body))

    def release(self, purchase_id: UUID | None, order: ReleaseOrder) -> list[Event]:
        """Send the held events of one purchase, or of all, and return them in the order they were sent."""
        events = self.held_back(purchase_id)[:: -1 if order == "reversed" else 1]
        for event in events:
            self.send(event)
        return events

    def held_back(self, purchase_id: UUID | None = None) -> list[Event]:
        """Return the held events of one purchase, or of all, in the order they happened."""
        return [event for event in self.refreshed_events(purchase_id) if not event.copies]

    def refreshed_events(self, purchase_id: UUID | None = None) -> list[Event]:
        """Return the events of one purchase, or of all, in the order they happened, with their current state."""
        statuses = self.queue.message_statuses()
        # Done messages are looked up as well: one that moves to the dead-letter queue is briefly in neither queue.
        for copy in (copy for event in self._events for copy in event.copies):
            status = statuses.get(copy.message_id)
            copy.state, copy.reads = (status.state, status.reads) if status else ("done", copy.reads)
        return [event for event in self._events if purchase_id in (None, event.purchase_id)]

    def get_event(self, event_id: str) -> Event:
        """Return one event.

        Raises:
            UnknownEvent: there is none with that id.
        """
        for event in self.refreshed_events():
            if event.id == event_id:
                return event
        raise UnknownEvent(event_id)

    def reset(self, events: list[Event]) -> None:
        """Replace the events and empty the queue."""
        self._events = events
        self.queue.purge()

    def _requeue_unfinished(self) -> None:
        # SQS keeps undeleted messages, so a restart of the sandbox must not lose them.
        for event in self._events:
            for copy in event.copies:
                if copy.state != "done":
                    self.queue.put(copy, json.dumps(event.body))
