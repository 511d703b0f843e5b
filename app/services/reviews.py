"""Reviews: after a landing or a change, the worker joins a subscription with its events and reads its entitlements."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Connection, Row, bindparam, select, text, update

from app.aws import entitlements as aws_entitlements
from app.aws.entitlements import Entitlement
from app.database import transaction
from app.errors import MarketplaceError
from app.models import Instant, Subscription
from app.services import changes, entitlements, events, outbox, standing, subscriptions
from app.services.events import Change

log = structlog.get_logger()

# Longer than AWS takes at the most: nobody else reviews the same one meanwhile, and after a kill somebody does.
LEASE = timedelta(minutes=5)
FIRST_PAUSE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 600
CLAIM = (
    text(
        "UPDATE subscriptions SET review_at = :lease WHERE review_at <= :now AND id ="
        " (SELECT id FROM subscriptions WHERE review_at <= :now ORDER BY review_at LIMIT 1) RETURNING id"
    )
    .bindparams(bindparam("now", type_=Instant), bindparam("lease", type_=Instant))
    .columns(Subscription.__table__.c.id)
)


@dataclass(frozen=True)
class Claimed:
    """A subscription that is this worker's to review until its lease ends, as it is after it was joined."""

    subscription: Any
    lease: datetime
    changes: list[Change]

    @property
    def id(self) -> UUID:
        """The subscription's id."""
        return UUID(str(self.subscription.id))


def review_next() -> bool | None:
    """Review the subscription that has been due for longest.

    Returns True where that is done, False where AWS did not tell its entitlements, None where none is due.

    Raises:
        DatabaseUnavailable: whatever was not reviewed comes up again.
    """
    now = datetime.now(UTC)
    claimed = claim(now)
    if claimed is None:
        return None
    events.tell(claimed.changes)
    if not entitlements.are_held(claimed.subscription.product_code):
        _finish(claimed, None, now)
        return True
    try:
        found = aws_entitlements.read(subscriptions.customer_of(claimed.subscription))
    except MarketplaceError as error:
        _postpone(claimed)
        log.error("entitlements.unread", subscription=str(claimed.id), fault=type(error).__name__, code=error.code)
        return False
    status = _finish(claimed, found, now)
    log.info("entitlements.read", subscription=str(claimed.id), count=len(found), status=status)
    return True


def claim(now: datetime) -> Claimed | None:
    """Return the subscription that has been due for longest, joined with what is known of it, for this worker alone."""
    lease = now + LEASE
    due = _lease(now, lease)
    # The lease is on disk before anything is done: one that cannot be joined does not keep the others waiting.
    return _joined(due, lease) if due else None


@transaction
def _lease(connection: Connection, now: datetime, lease: datetime) -> UUID | None:
    return connection.execute(CLAIM, {"now": now, "lease": lease}).scalar_one_or_none()


@transaction
def _joined(connection: Connection, due: UUID, lease: datetime) -> Claimed | None:
    if not connection.execute(select(Subscription.id).where(Subscription.id == due)).first():
        return None
    subscription_id, applied = events.catch_up(connection, due)
    connection.execute(update(Subscription).where(Subscription.id == subscription_id).values(review_at=lease))
    found = connection.execute(select(Subscription.__table__).where(Subscription.id == subscription_id)).one()
    _tell_license(connection, found)
    return Claimed(found, lease, applied)


def _tell_license(connection: Connection, subscription: Row[Any]) -> None:
    """Promise to tell the product of the license, where the last that it heard of is another, or none.

    It has to meter with the license that there is, which a renewal or a landing may have brought.
    """
    heard = outbox.last_told(connection, subscription.id)
    known = heard and heard["data"]["subscription"]["license_arn"]
    if heard and subscriptions.license_id(known or "") != subscriptions.license_id(subscription.license_arn or ""):
        changes.tell(connection, subscription.id, changes.LICENSED)


@transaction
def _finish(
    connection: Connection, claimed: Claimed, found: list[Entitlement] | None, asked_at: datetime
) -> str | None:
    subscriptions.hold(connection, claimed.id)
    # A renewal may have come since, with another license.
    same = (Subscription.id == claimed.id, Subscription.purchase_key == claimed.subscription.purchase_key)
    is_new = found is not None and _keep(connection, claimed, same, found, asked_at)
    # Whoever has come since, or whatever has changed, has set another time: that review is still to be done.
    done = update(Subscription).where(*same, Subscription.review_at == claimed.lease)
    connection.execute(done.values(review_at=None))
    status = standing.recompute(connection, claimed.id)
    if is_new:
        changes.tell(connection, claimed.id, changes.ENTITLED)
    return status


def _keep(
    connection: Connection,
    claimed: Claimed,
    same: tuple[ColumnElement[bool], ...],
    found: list[Entitlement],
    asked_at: datetime,
) -> bool:
    """Keep what AWS told of the entitlements; return whether it is something else than before."""
    before = connection.execute(select(Subscription.entitlements).where(*same)).one_or_none()
    stored = entitlements.to_store(found, claimed.subscription.license_arn)
    if before is not None and before.entitlements and entitlements.is_same(before.entitlements, stored):
        stored = before.entitlements
    told: dict[str, Any] = {"entitlements": stored, "entitlements_read_at": asked_at, "review_failures": 0}
    if before is not None and before.entitlements != stored:
        told["changed_at"] = datetime.now(UTC)
    connection.execute(update(Subscription).where(*same).values(told))
    return before is not None and (before.entitlements or []) != stored


@transaction
def _postpone(connection: Connection, claimed: Claimed) -> None:
    failures = claimed.subscription.review_failures + 1
    # Full jitter: those that failed together do not all come again together.
    longest = min(FIRST_PAUSE_SECONDS * 2**failures, LONGEST_PAUSE_SECONDS)
    pause = timedelta(seconds=random.uniform(FIRST_PAUSE_SECONDS, longest))  # noqa: S311
    later = {"review_at": datetime.now(UTC) + pause, "review_failures": failures}
    due = update(Subscription).where(Subscription.id == claimed.id, Subscription.review_at == claimed.lease)
    connection.execute(due.values(later))
