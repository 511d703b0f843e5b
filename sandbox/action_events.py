"""Builds the events that an action causes: EventBridge's for new-style purchases, SNS's for old-style ones."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from sandbox import eventbridge, printed_forms, sns
from sandbox.entitlements import Pricing
from sandbox.events import Event, EventDraft
from sandbox.purchases import Purchase, Style

# An action starts this long before now, so that its events can follow each other and none is in the future.
ACTION_DURATIONS = {"renew": timedelta(seconds=3), "expire": timedelta(seconds=1), "fail_payment": timedelta(seconds=1)}
DEFAULT_DURATION = timedelta(milliseconds=2)
# EventBridge prints whole seconds, SNS milliseconds.
EVENT_INTERVAL = {"new": timedelta(seconds=1), "old": timedelta(milliseconds=1)}


class ActionTime(NamedTuple):
    """When an action started and ended."""

    started_at: datetime
    ended_at: datetime


def time_of(action: str, latest: datetime, now: datetime) -> ActionTime:
    """Return the time of an action that ends now: it never started before the purchase's latest event."""
    return ActionTime(min(max(latest, now - ACTION_DURATIONS.get(action, DEFAULT_DURATION)), now), now)


def build(
    action: str, before: Purchase, after: Purchase, pricing: Pricing, time: ActionTime, *, as_printed: bool = False
) -> list[Event]:
    """Return the events of an action in the order they happened, spaced by `EVENT_INTERVAL`.

    They are spelled as AWS sends them or, where `as_printed`, as AWS's documentation prints them.
    """
    if after.style == "old":
        drafts = sns.build_drafts(action, before, after, pricing)
    else:
        drafts = eventbridge.build_drafts(action, before, after)
    if as_printed:
        drafts = [printed_forms.spell(draft, _purchase_of(draft, before, after)) for draft in drafts]
    return [
        _build_event(draft, action, after, _event_time(time, number, after.style))
        for number, draft in enumerate(drafts)
    ]


def _purchase_of(draft: EventDraft, before: Purchase, after: Purchase) -> Purchase:
    """Return the purchase that the event tells of: a renewal also ends the agreement before it."""
    agreement_id = draft.content.get("agreement", {}).get("id", after.agreement_id)
    # An agreement that ends early was agreed until now.
    is_over = agreement_id != after.agreement_id
    return before.model_copy(update={"ends_at": after.accepted_at}) if is_over else after


def _build_event(draft: EventDraft, action: str, purchase: Purchase, at: datetime) -> Event:
    event_id = str(uuid4())
    old = purchase.style == "old"
    return Event(
        id=event_id,
        purchase_id=purchase.id,
        action=action,
        channel="sns" if old else "eventbridge",
        kind=draft.kind,
        happened_at=at,
        body=(sns if old else eventbridge).envelope(draft, event_id, at),
    )


def _event_time(time: ActionTime, number: int, style: Style) -> datetime:
    # Rounding down, as rounding up could put the event into the future.
    at = min(time.started_at + number * EVENT_INTERVAL[style], time.ended_at)
    return at.replace(microsecond=0 if style == "new" else at.microsecond // 1000 * 1000)
