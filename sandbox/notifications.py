"""The events that an action causes: on the channel of the purchase's style, with AWS's clock and an id each."""

from datetime import datetime, timedelta
from uuid import uuid4

from sandbox import eventbridge, sns
from sandbox.entitlements import Pricing
from sandbox.events import Draft, Event
from sandbox.purchases import Purchase, Style

# Several events of one action come one after the other; the last of them no later than now.
SPANS = {"renew": timedelta(seconds=3), "expire": timedelta(seconds=1), "fail_payment": timedelta(seconds=1)}
SPAN = timedelta(milliseconds=2)
# EventBridge prints whole seconds, SNS milliseconds.
APART = {"new": timedelta(seconds=1), "old": timedelta(milliseconds=1)}


def began_at(action: str, latest: datetime, now: datetime) -> datetime:
    """Return when an action that is done by now began: not before the latest thing that happened to the purchase."""
    return min(max(latest, now - SPANS.get(action, SPAN)), now)


def caused(action: str, before: Purchase, after: Purchase, pricing: Pricing, began: datetime) -> list[Event]:
    """Return the events of an action that began at that time and is done by now, in the order they happened."""
    if after.style == "old":
        drafts = sns.told(action, before, after, pricing)
    else:
        drafts = eventbridge.told(action, before, after)
    return [
        _event(draft, action, after, _in_time(began + number * APART[after.style], after.style))
        for number, draft in enumerate(drafts)
    ]


def _event(draft: Draft, action: str, purchase: Purchase, at: datetime) -> Event:
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


def _in_time(at: datetime, style: Style) -> datetime:
    past = min(at, datetime.now(at.tzinfo))
    return past.replace(microsecond=0 if style == "new" else past.microsecond // 1000 * 1000)
