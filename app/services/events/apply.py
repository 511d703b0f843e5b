"""Events: AWS Marketplace's notifications, each kept whole, joined with its subscription and applied once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, bindparam, func, select, text, update
from uuid_utils.compat import uuid7

from app.config import products
from app.database.transactions import transaction
from app.errors import FoyerError
from app.models import Event, Subscription
from app.services.events import match, recompute
from app.services.events.match import Match
from app.services.purchases import aws_event
from app.services.purchases.aws_event import AwsEvent

log = structlog.get_logger()

EVENT_COLUMNS = Event.__table__.columns
INSERT_EVENT = (
    text(
        f"INSERT INTO events ({', '.join(column.name for column in EVENT_COLUMNS)})"  # noqa: S608  # names of our own
        f" VALUES ({', '.join(f':{column.name}' for column in EVENT_COLUMNS)})"
        " ON CONFLICT (aws_id) DO NOTHING RETURNING id"
    )
    .bindparams(*(bindparam(column.name, type_=column.type) for column in EVENT_COLUMNS))
    .columns(EVENT_COLUMNS.id)
)
# Whose an event is, wherever both it and the subscription say so.
MISMATCH_REASONS = {
    Subscription.product_code: "another product",
    Subscription.customer_aws_account_id: "another AWS account",
    Subscription.customer_identifier: "another customer",
}
# What it tells of a contract, GetEntitlements has to be asked for.
ENTITLEMENT_EVENTS = {"License Updated", "entitlement-updated"}


# Outcomes that the log calls otherwise.
LOG_EVENTS = {"noted": "event.no_effect"}


class PartyMismatch(FoyerError):
    """An event is not about the subscription that a person named; `code` says whose it is."""


@dataclass(frozen=True)
class StatusChange:
    """A subscription's new status, and the event that made it so."""

    subscription_id: UUID
    status: str
    event_id: UUID


@dataclass
class EventResult:
    """What an event did: its outcome, and every change of a status, by itself or by others that had waited for it."""

    event_id: UUID
    outcome: str = "waiting"
    changes: list[StatusChange] = field(default_factory=list)


def ingest(event: AwsEvent) -> EventResult | None:
    """Keep the notification and apply it; return what it did, or None where it had come before.

    Raises:
        DatabaseUnavailable: it may or may not have been applied; a second time is success.
    """
    applied = _ingest(event, datetime.now(UTC))
    if applied is None:
        log.info("event.repeated", aws=event.aws_id, kind=event.kind)
        return None
    _log_result(applied, event)
    return applied


def replay(event_id: UUID, subscription_id: UUID | None = None) -> EventResult | None:
    """Apply a stored event anew, to the subscription given where a person has decided; return what it did.

    One that has been joined with a subscription stays with it until a person decides otherwise. None where there is no
    such event, or no such subscription.

    Raises:
        NotTheirs: the event is of another customer or product than the subscription given.
        DatabaseUnavailable: nothing was applied.
    """
    replayed = _replay(event_id, subscription_id)
    if replayed is None:
        return None
    applied, notice = replayed
    _log_result(applied, notice)
    return applied


def attach_waiting_events(connection: Connection, subscription_id: UUID) -> tuple[UUID, list[StatusChange]] | None:
    """Join a purchase that has landed with the events that waited for it, within the caller's transaction.

    Returns the id it has now: it may turn out to be a subscription that was known by another name. None where somebody
    else has made it part of that one, which is then to be reviewed by itself.
    """
    found = match.find_for_landing(connection, subscription_id)
    if not found.subscription_ids:
        return None
    return found.subscription_ids[0], _apply_waiting_events(connection, found)


def log_changes(changes: Iterable[StatusChange]) -> None:
    """Log every change of a status, once it is on disk."""
    for change in changes:
        log.info(
            "subscription.changed",
            subscription=str(change.subscription_id),
            status=change.status,
            cause=str(change.event_id),
        )


@transaction
def _ingest(connection: Connection, event: AwsEvent, now: datetime) -> EventResult | None:
    event_id = connection.execute(INSERT_EVENT, _event_row(event, now)).scalar_one_or_none()
    return _apply(connection, event_id, event) if event_id else None


@transaction
def _replay(
    connection: Connection, event_id: UUID, subscription_id: UUID | None
) -> tuple[EventResult, AwsEvent] | None:
    row = connection.execute(select(Event.__table__).where(Event.id == event_id).with_for_update()).one_or_none()
    if row is None:
        return None
    about = subscription_id or row.subscription_id
    known = (
        connection.execute(select(*MISMATCH_REASONS).where(Subscription.id == about)).one_or_none() if about else None
    )
    if about and known is None:
        return None
    if known and subscription_id:
        _raise_if_other_party(row, known)
    notice = parse_row(row)
    applied = _apply(connection, event_id, notice, Match([about]) if about else None)
    if row.subscription_id and row.subscription_id != about:
        applied.changes += _recompute_status(connection, row.subscription_id, event_id)
    if (row.outcome, applied.outcome) == ("applied", "noted") and row.subscription_id == about:
        # It had its effect before, and that is what the record is of.
        effect = {"outcome": row.outcome, "status_after": row.status_after}
        connection.execute(update(Event).where(Event.id == event_id).values(effect))
    return applied, notice


def _raise_if_other_party(event: Row[Any], subscription: Row[Any]) -> None:
    for column, whose in MISMATCH_REASONS.items():
        told, known = getattr(event, column.key), getattr(subscription, column.key)
        if told and known and told != known:
            raise PartyMismatch(whose)


def _event_row(event: AwsEvent, now: datetime) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "aws_id": event.aws_id,
        "channel": event.channel,
        "kind": event.kind,
        "happened_at": event.happened_at,
        "received_at": now,
        "product_code": event.product_code,
        "customer_aws_account_id": event.customer_aws_account_id,
        "customer_identifier": event.customer_identifier,
        "license_arn": event.license_arn,
        "agreement_id": event.agreement_id,
        "previous_agreement_id": event.previous_agreement_id,
        "body": event.body,
        "subscription_id": None,
        "outcome": "waiting",
        "status_after": None,
    }


def parse_row(row: Row[Any]) -> AwsEvent:
    """Return what a stored event says."""
    return aws_event.parse_body(row.body, row.aws_id, row.happened_at)


def _apply(connection: Connection, event_id: UUID, event: AwsEvent, chosen_match: Match | None = None) -> EventResult:
    applied = EventResult(event_id)
    if event.product_code and event.product_code not in products.current():
        applied.outcome = "not_ours"
    else:
        found = chosen_match or match.find_for_event(connection, event)
        # A renewal that may be about two purchases would keep one of them alive for ever.
        if len(found.subscription_ids) == 1 and (found.is_unambiguous or not event.previous_agreement_id):
            _attach(connection, applied, found)
        elif found.subscription_ids or not event.agreement_id:
            applied.outcome = "ambiguous"
        _schedule_entitlement_review(connection, event, found.subscription_ids)
    own = next((change for change in applied.changes if change.event_id == event_id), None)
    values = {"outcome": applied.outcome, "status_after": own and own.status}
    connection.execute(update(Event).where(Event.id == event_id).values(values))
    return applied


def _attach(connection: Connection, result: EventResult, matched: Match) -> None:
    [subscription_id] = matched.subscription_ids
    # No longer waiting: those that are follow below.
    joined = {"subscription_id": subscription_id, "outcome": "noted"}
    connection.execute(update(Event).where(Event.id == result.event_id).values(joined))
    own = _recompute_status(connection, subscription_id, result.event_id)
    result.outcome = "applied" if own else "noted"
    result.changes += own + _apply_waiting_events(connection, matched)


def _recompute_status(connection: Connection, subscription_id: UUID, event_id: UUID) -> list[StatusChange]:
    status = recompute.update_subscription(connection, subscription_id)
    return [StatusChange(subscription_id, status, event_id)] if status else []


def _apply_waiting_events(connection: Connection, matched: Match) -> list[StatusChange]:
    """Apply the events that waited until somebody knew their agreement; all at once, for they may be many."""
    [subscription_id] = matched.subscription_ids
    # Spelled so that no database looks through all events that wait, instead of those of the agreements.
    waiting = (func.coalesce(Event.outcome, "") == "waiting") & (
        Event.agreement_id.in_(matched.agreement_ids) | Event.previous_agreement_id.in_(matched.agreement_ids)
    )
    if not matched.is_unambiguous:
        renewals = update(Event).where(waiting, Event.previous_agreement_id.is_not(None))
        connection.execute(renewals.values(outcome="ambiguous"))
    joined = update(Event).where(waiting).values(subscription_id=subscription_id, outcome="noted")
    rows = connection.execute(joined.returning(Event.id, Event.happened_at)).all() if matched.agreement_ids else []
    if not rows or not (status := recompute.update_subscription(connection, subscription_id)):
        return []
    since = connection.execute(select(Subscription.status_since).where(Subscription.id == subscription_id)).scalar_one()
    cause = next((row.id for row in rows if row.happened_at == since), rows[-1].id)
    effect = {"outcome": "applied", "status_after": status}
    connection.execute(update(Event).where(Event.id == cause).values(effect))
    return [StatusChange(subscription_id, status, cause)]


def _schedule_entitlement_review(connection: Connection, event: AwsEvent, subscription_ids: list[UUID]) -> None:
    # Even where nobody can tell whose changed: to read them once too often does no harm.
    if event.kind_without_party in ENTITLEMENT_EVENTS:
        due = update(Subscription).where(Subscription.id.in_(subscription_ids))
        connection.execute(due.values(review_at=datetime.now(UTC), review_failures=0))


def _log_result(result: EventResult, event: AwsEvent) -> None:
    known = {"event_id": str(result.event_id), "aws": event.aws_id, "kind": event.kind}
    level = log.warning if result.outcome == "ambiguous" else log.info
    level(LOG_EVENTS.get(result.outcome, f"event.{result.outcome}"), **known)
    log_changes(result.changes)
