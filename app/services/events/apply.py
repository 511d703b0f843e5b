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
from app.services.events.match import Found
from app.services.purchases import aws_event
from app.services.purchases.aws_event import Notice

log = structlog.get_logger()

COLUMNS = Event.__table__.columns
KEEP = (
    text(
        f"INSERT INTO events ({', '.join(column.name for column in COLUMNS)})"  # noqa: S608  # names of our own
        f" VALUES ({', '.join(f':{column.name}' for column in COLUMNS)}) ON CONFLICT (aws_id) DO NOTHING RETURNING id"
    )
    .bindparams(*(bindparam(column.name, type_=column.type) for column in COLUMNS))
    .columns(COLUMNS.id)
)
# Whose an event is, wherever both it and the subscription say so.
PARTIES = {
    Subscription.product_code: "another product",
    Subscription.customer_aws_account_id: "another AWS account",
    Subscription.customer_identifier: "another customer",
}
# What it tells of a contract, GetEntitlements has to be asked for.
CHANGES_ENTITLEMENTS = {"License Updated", "entitlement-updated"}


class NotTheirs(FoyerError):
    """An event is not about the subscription that a person named; `code` says whose it is."""


@dataclass(frozen=True)
class Change:
    """A subscription's new status, and the event that made it so."""

    subscription_id: UUID
    status: str
    event_id: UUID


@dataclass
class Applied:
    """What an event did: its outcome, and every change of a status, by itself or by others that had waited for it."""

    event_id: UUID
    outcome: str = "waiting"
    changes: list[Change] = field(default_factory=list)


def receive(notice: Notice) -> Applied | None:
    """Keep the notification and apply it; return what it did, or None where it had come before.

    Raises:
        DatabaseUnavailable: it may or may not have been applied; a second time is success.
    """
    applied = _receive(notice, datetime.now(UTC))
    if applied is None:
        log.info("event.repeated", aws=notice.aws_id, kind=notice.kind)
        return None
    _tell(applied, notice)
    return applied


def replay(event_id: UUID, subscription_id: UUID | None = None) -> Applied | None:
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
    _tell(applied, notice)
    return applied


def catch_up(connection: Connection, subscription_id: UUID) -> tuple[UUID, list[Change]] | None:
    """Join a purchase that has landed with the events that waited for it, within the caller's transaction.

    Returns the id it has now: it may turn out to be a subscription that was known by another name. None where somebody
    else has made it part of that one, which is then to be reviewed by itself.
    """
    found = match.of_landing(connection, subscription_id)
    if not found.subscriptions:
        return None
    return found.subscriptions[0], _join_waiting(connection, found)


def tell(changes: Iterable[Change]) -> None:
    """Log every change of a status, once it is on disk."""
    for change in changes:
        log.info(
            "subscription.changed",
            subscription=str(change.subscription_id),
            status=change.status,
            cause=str(change.event_id),
        )


@transaction
def _receive(connection: Connection, notice: Notice, now: datetime) -> Applied | None:
    event_id = connection.execute(KEEP, _row(notice, now)).scalar_one_or_none()
    return _apply(connection, event_id, notice) if event_id else None


@transaction
def _replay(connection: Connection, event_id: UUID, subscription_id: UUID | None) -> tuple[Applied, Notice] | None:
    row = connection.execute(select(Event.__table__).where(Event.id == event_id).with_for_update()).one_or_none()
    if row is None:
        return None
    about = subscription_id or row.subscription_id
    known = connection.execute(select(*PARTIES).where(Subscription.id == about)).one_or_none() if about else None
    if about and known is None:
        return None
    if known and subscription_id:
        _refuse_others(row, known)
    notice = notice_of(row)
    applied = _apply(connection, event_id, notice, Found([about]) if about else None)
    if row.subscription_id and row.subscription_id != about:
        applied.changes += _changed(connection, row.subscription_id, event_id)
    if (row.outcome, applied.outcome) == ("applied", "noted") and row.subscription_id == about:
        # It had its effect before, and that is what the record is of.
        effect = {"outcome": row.outcome, "status_after": row.status_after}
        connection.execute(update(Event).where(Event.id == event_id).values(effect))
    return applied, notice


def _refuse_others(event: Row[Any], subscription: Row[Any]) -> None:
    for column, whose in PARTIES.items():
        told, known = getattr(event, column.key), getattr(subscription, column.key)
        if told and known and told != known:
            raise NotTheirs(whose)


def _row(notice: Notice, now: datetime) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "aws_id": notice.aws_id,
        "channel": notice.channel,
        "kind": notice.kind,
        "happened_at": notice.happened_at,
        "received_at": now,
        "product_code": notice.product_code,
        "customer_aws_account_id": notice.account_id,
        "customer_identifier": notice.customer_identifier,
        "license_arn": notice.license_arn,
        "agreement_id": notice.agreement_id,
        "previous_agreement_id": notice.previous_agreement_id,
        "body": notice.body,
        "subscription_id": None,
        "outcome": "waiting",
        "status_after": None,
    }


def notice_of(row: Row[Any]) -> Notice:
    """Return what a stored event says."""
    return aws_event.read(row.body, row.aws_id, row.happened_at)


def _apply(connection: Connection, event_id: UUID, notice: Notice, decided: Found | None = None) -> Applied:
    applied = Applied(event_id)
    if notice.product_code and notice.product_code not in products.current():
        applied.outcome = "not_ours"
    else:
        found = decided or match.of_notice(connection, notice)
        # A renewal that may be about two purchases would keep one of them alive for ever.
        if len(found.subscriptions) == 1 and (found.is_clear or not notice.previous_agreement_id):
            _join(connection, applied, found)
        elif found.subscriptions or not notice.agreement_id:
            applied.outcome = "ambiguous"
        _ask_for_entitlements(connection, notice, found.subscriptions)
    own = next((change for change in applied.changes if change.event_id == event_id), None)
    values = {"outcome": applied.outcome, "status_after": own and own.status}
    connection.execute(update(Event).where(Event.id == event_id).values(values))
    return applied


def _join(connection: Connection, applied: Applied, found: Found) -> None:
    [subscription_id] = found.subscriptions
    # No longer waiting: those that are follow below.
    joined = {"subscription_id": subscription_id, "outcome": "noted"}
    connection.execute(update(Event).where(Event.id == applied.event_id).values(joined))
    own = _changed(connection, subscription_id, applied.event_id)
    applied.outcome = "applied" if own else "noted"
    applied.changes += own + _join_waiting(connection, found)


def _changed(connection: Connection, subscription_id: UUID, event_id: UUID) -> list[Change]:
    status = recompute.recompute(connection, subscription_id)
    return [Change(subscription_id, status, event_id)] if status else []


def _join_waiting(connection: Connection, found: Found) -> list[Change]:
    """Apply the events that waited until somebody knew their agreement; all at once, for they may be many."""
    [subscription_id] = found.subscriptions
    # Spelled so that no database looks through all events that wait, instead of those of the agreements.
    waiting = (func.coalesce(Event.outcome, "") == "waiting") & (
        Event.agreement_id.in_(found.agreements) | Event.previous_agreement_id.in_(found.agreements)
    )
    if not found.is_clear:
        renewals = update(Event).where(waiting, Event.previous_agreement_id.is_not(None))
        connection.execute(renewals.values(outcome="ambiguous"))
    joined = update(Event).where(waiting).values(subscription_id=subscription_id, outcome="noted")
    rows = connection.execute(joined.returning(Event.id, Event.happened_at)).all() if found.agreements else []
    if not rows or not (status := recompute.recompute(connection, subscription_id)):
        return []
    since = connection.execute(select(Subscription.status_since).where(Subscription.id == subscription_id)).scalar_one()
    cause = next((row.id for row in rows if row.happened_at == since), rows[-1].id)
    effect = {"outcome": "applied", "status_after": status}
    connection.execute(update(Event).where(Event.id == cause).values(effect))
    return [Change(subscription_id, status, cause)]


def _ask_for_entitlements(connection: Connection, notice: Notice, about: list[UUID]) -> None:
    # Even where nobody can tell whose changed: to read them once too often does no harm.
    if notice.name in CHANGES_ENTITLEMENTS:
        due = update(Subscription).where(Subscription.id.in_(about))
        connection.execute(due.values(review_at=datetime.now(UTC), review_failures=0))


def _tell(applied: Applied, notice: Notice) -> None:
    known = {"event_id": str(applied.event_id), "aws": notice.aws_id, "kind": notice.kind}
    level = log.warning if applied.outcome == "ambiguous" else log.info
    level(f"event.{applied.outcome}", **known)
    tell(applied.changes)
