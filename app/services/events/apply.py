"""Applying events: each is stored whole, attached to its subscription, and applied once."""

import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, bindparam, func, select, update
from uuid_utils.compat import uuid7

from app.aws.event_kinds import AwsEventKind
from app.config import products
from app.database import clock
from app.database.statements import upsert_statement
from app.database.transactions import after_commit, transaction
from app.errors import FoyerError
from app.models import Event
from app.services.events import agreements, match, status
from app.services.events.agreements import AGREEMENT_IDS
from app.services.metering import ends
from app.services.outbox import announce
from app.services.purchases import aws_event, subscriptions
from app.services.purchases.aws_event import AwsEvent

log = structlog.get_logger()

# The party that an event, and the subscription it is attached to, may both name.
MISMATCH_REASONS = {
    "product_code": "another product",
    "customer_aws_account_id": "another AWS account",
    "customer_identifier": "another customer",
}
# After these, GetEntitlements may answer something else.
ENTITLEMENT_EVENTS = {AwsEventKind.LICENSE_UPDATED, AwsEventKind.ENTITLEMENT_UPDATED}
INSERT_EVENT = upsert_statement(Event.__table__, natural_key="aws_id", updates={})
LOCK_EVENT = select(Event.__table__).where(Event.id == bindparam("event_id")).with_for_update()
UPDATE_EVENT = update(Event).where(Event.id == bindparam("event_id"))
# `coalesce` keeps the database from the index on the outcome: it would read all waiting events, not the agreements'.
IS_WAITING = (func.coalesce(Event.outcome, "") == "waiting") & (
    Event.agreement_id.in_(AGREEMENT_IDS) | Event.previous_agreement_id.in_(AGREEMENT_IDS)
)
UPDATE_WAITING = update(Event).where(IS_WAITING).returning(Event.id, Event.happened_at)
UPDATE_WAITING_RENEWALS = update(Event).where(IS_WAITING, Event.previous_agreement_id.is_not(None))


class PartyMismatch(FoyerError):
    """An event is not about the subscription that a person chose for it; `code` says how they differ."""


@dataclass(frozen=True)
class StatusChange:
    """A subscription's new status, and the event that caused it."""

    subscription_id: UUID
    status: str
    event_id: UUID


@dataclass(frozen=True)
class EventResult:
    """What an event did: its outcome, and every new status, of the event's own or of events that waited for it."""

    event_id: UUID
    outcome: str
    changes: list[StatusChange] = field(default_factory=list)


@transaction
def ingest(connection: Connection, event: AwsEvent) -> EventResult | None:
    """Store the event and apply it; return what it did, or None where AWS had sent it before.

    After DatabaseUnavailable it may or may not have been applied; to ingest it again is safe.
    """
    return _ingest(connection, event)


@transaction
def ingest_all(connection: Connection, events: Sequence[AwsEvent], max_seconds: float) -> int:
    """Ingest the events in one transaction, in this order, until so many seconds have passed; return how many."""
    ends_at = time.monotonic() + max_seconds
    # All at once: another worker that has events of the same accounts locks them in the same order.
    agreement_ids = chain.from_iterable((event.agreement_id, event.previous_agreement_id) for event in events)
    locked_ids = agreements.lock(connection, (event.customer_aws_account_id for event in events), agreement_ids)
    for count, event in enumerate(events, 1):
        _ingest(connection, event, locked_ids)
        if time.monotonic() > ends_at:
            return count
    return len(events)


def _ingest(connection: Connection, event: AwsEvent, locked_ids: AbstractSet[str] = frozenset()) -> EventResult | None:
    # Of the event's fields, the statement takes those that are columns. The outcome is the most common one, so that it
    # rarely changes; as `waiting`, the event would be among those that waited.
    row = {**vars(event), "id": uuid7(), "received_at": clock.now(), "outcome": "noted"}
    row |= {"subscription_id": None, "status_after": None}
    event_id = connection.execute(INSERT_EVENT, row).scalar_one_or_none()
    if event_id is None:
        after_commit(log.info, "event.repeated", aws=event.aws_id, kind=event.kind)
        return None
    if event.dropped:
        after_commit(log.warning, "event.fields_dropped", aws=event.aws_id, kind=event.kind, fields=event.dropped)
    return _apply(connection, event_id, event, partial(match.find_for_event, connection, event, locked_ids))


@transaction
def replay(connection: Connection, event_id: UUID, subscription_id: UUID | None = None) -> EventResult | None:
    """Apply a stored event again, to the subscription that a person chose for it, if any; return what it did.

    An attached event stays with its subscription until a person chooses another. None where there is no such event,
    or no such subscription.

    Raises:
        PartyMismatch: the event is of another customer or product than the chosen subscription.
    """
    row = connection.execute(LOCK_EVENT, {"event_id": event_id}).one_or_none()
    if row is None:
        return None
    if subscription_id:
        chosen = subscriptions.find_row(connection, subscription_id)
        if chosen is None:
            return None
        _raise_if_other_party(row, chosen)
    target_id = subscription_id or row.subscription_id
    event = aws_event.parse_body(row.body, row.aws_id, row.happened_at)
    attached = match.Match([target_id]) if target_id else None
    result = _apply(connection, event_id, event, lambda: attached or match.find_for_event(connection, event))
    if row.subscription_id and row.subscription_id != target_id:
        result.changes.extend(_recompute_status(connection, row.subscription_id, event_id))
    elif (row.outcome, result.outcome) == ("applied", "noted"):
        # The event had its effect the first time: the record of that stays.
        _update_event(connection, event_id, outcome=row.outcome, status_after=row.status_after)
    return result


def attach_waiting_events(connection: Connection, subscription_id: UUID) -> UUID | None:
    """Match a landed subscription, and apply the events that waited for it, within the caller's transaction.

    Returns the id that it has now: it may have been merged into an older one. None where another transaction merged
    it; the remaining subscription is then due for a review of its own.
    """
    matched = match.find_for_landing(connection, subscription_id)
    if not matched.subscription_ids:
        return None
    after_commit(_log_changes, _apply_waiting_events(connection, matched))
    return matched.subscription_ids[0]


def _raise_if_other_party(event: Row[Any], subscription: Row[Any]) -> None:
    for name, reason in MISMATCH_REASONS.items():
        of_event, of_subscription = getattr(event, name), getattr(subscription, name)
        if of_event and of_subscription and of_event != of_subscription:
            raise PartyMismatch(reason)


def _apply(
    connection: Connection, event_id: UUID, event: AwsEvent, find_match: Callable[[], match.Match]
) -> EventResult:
    if event.product_code and event.product_code not in products.current():
        result = EventResult(event_id, "not_ours")
    else:
        matched = find_match()
        result = _attach(connection, event_id, event, matched)
        if event.kind_without_party in ENTITLEMENT_EVENTS:
            _review(connection, event, matched)
    own_status = next((change.status for change in result.changes if change.event_id == event_id), None)
    if result.outcome != "noted":
        _update_event(connection, event_id, outcome=result.outcome, status_after=own_status)
    after_commit(_log_result, result, event)
    return result


def _review(connection: Connection, event: AwsEvent, matched: match.Match) -> None:
    """Do what a review would do or, where that is more than to announce the license, let the worker review it next."""
    if event.product_code and matched.reviewed_license_id:
        [subscription_id] = matched.subscription_ids
        announce.announce_license(connection, subscription_id, event.product_code, matched.reviewed_license_id)
        return
    # An ambiguous event, too: to read entitlements once too often does no harm.
    due = {"review_at": clock.now(), "review_failures": 0}
    for subscription_id in matched.subscription_ids:
        subscriptions.update_row(connection, subscription_id, due)


def _attach(connection: Connection, event_id: UUID, event: AwsEvent, matched: match.Match) -> EventResult:
    # A renewal that is attached to the wrong one of two purchases would keep that one active for ever.
    if len(matched.subscription_ids) != 1 or (event.previous_agreement_id and not matched.is_unambiguous):
        is_waiting = event.agreement_id and not matched.subscription_ids
        return EventResult(event_id, "waiting" if is_waiting else "ambiguous")
    [subscription_id] = matched.subscription_ids
    # A replayed event's outcome is no longer `waiting`: else it would be among those that waited.
    _update_event(connection, event_id, subscription_id=subscription_id, outcome="noted", status_after=None)
    own_changes = _recompute_status(connection, subscription_id, event_id)
    if event.kind_without_party == AwsEventKind.LICENSE_DEPROVISIONED:
        ends.make_due(connection, subscription_id)
    waiting_changes = _apply_waiting_events(connection, matched)
    return EventResult(event_id, "applied" if own_changes else "noted", own_changes + waiting_changes)


def _recompute_status(connection: Connection, subscription_id: UUID, event_id: UUID) -> list[StatusChange]:
    state = status.recompute(connection, subscription_id)
    return [StatusChange(subscription_id, state.status, event_id)] if state else []


def _apply_waiting_events(connection: Connection, matched: match.Match) -> list[StatusChange]:
    """Apply, all at once, the events that waited for one of the agreements: there may be many."""
    [subscription_id] = matched.subscription_ids
    if not matched.has_waiting_events:
        return []
    waiting = {"agreement_ids": list(matched.agreement_ids)}
    if not matched.is_unambiguous:
        connection.execute(UPDATE_WAITING_RENEWALS, {**waiting, "outcome": "ambiguous"})
    attached = {"subscription_id": subscription_id, "outcome": "noted"}
    rows = connection.execute(UPDATE_WAITING, {**waiting, **attached}).all()
    if not rows or not (state := status.recompute(connection, subscription_id)):
        return []
    cause_id = next((row.id for row in rows if row.happened_at == state.status_since), rows[-1].id)
    _update_event(connection, cause_id, outcome="applied", status_after=state.status)
    return [StatusChange(subscription_id, state.status, cause_id)]


def _update_event(connection: Connection, event_id: UUID, **values: object) -> None:
    connection.execute(UPDATE_EVENT, {"event_id": event_id, **values})


def _log_result(result: EventResult, event: AwsEvent) -> None:
    level = log.warning if result.outcome == "ambiguous" else log.info
    name = "no_effect" if result.outcome == "noted" else result.outcome
    level(f"event.{name}", event_id=str(result.event_id), aws=event.aws_id, kind=event.kind)
    _log_changes(result.changes)


def _log_changes(changes: Iterable[StatusChange]) -> None:
    for change in changes:
        names = {"subscription": str(change.subscription_id), "status": change.status, "cause": str(change.event_id)}
        log.info("subscription.changed", **names)
