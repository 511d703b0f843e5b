"""Reviews: after a landing or a change, the worker joins a subscription with its events and reads its entitlements."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Connection, Row, bindparam, select, text, update

from app.aws import get_entitlements as aws_entitlements
from app.aws.get_entitlements import AwsEntitlement
from app.config import handoff_endpoints
from app.database.transactions import transaction
from app.errors import DatabaseUnavailable, MarketplaceError
from app.models import Subscription, UtcDateTime
from app.services.events import apply, recompute
from app.services.events.apply import StatusChange
from app.services.outbox import announce, queue
from app.services.purchases import entitlements, keys, subscriptions

log = structlog.get_logger()

# Longer than AWS takes at the most: nobody else reviews the same one meanwhile, and after a kill somebody does.
LEASE = timedelta(minutes=5)
FIRST_BACKOFF_SECONDS = 5
MAX_BACKOFF_SECONDS = 600
# What nobody foresaw takes a person to mend.
MAX_ERROR_BACKOFF_SECONDS = 86400
CLAIM = (
    text(
        "UPDATE subscriptions SET review_at = :lease WHERE review_at <= :now AND id ="
        " (SELECT id FROM subscriptions WHERE review_at <= :now ORDER BY review_at LIMIT 1) RETURNING id"
    )
    .bindparams(bindparam("now", type_=UtcDateTime), bindparam("lease", type_=UtcDateTime))
    .columns(Subscription.__table__.c.id)
)


@dataclass(frozen=True)
class ClaimedReview:
    """A subscription that is due, and this worker's to review until its lease ends."""

    id: UUID
    lease: datetime


@dataclass(frozen=True)
class MatchedSubscription:
    """What was claimed, by the id that it has once it was joined with what is known of it, and what that changed."""

    id: UUID
    lease: datetime
    subscription: Any
    changes: list[StatusChange]


def process_next() -> bool | None:
    """Review the subscription that has been due for longest.

    Returns True where that is done, False where AWS did not tell its entitlements, None where none is due. One that
    fails in a way nobody foresaw is put off, ever longer, and holds up no other.

    Raises:
        DatabaseUnavailable: whatever was not reviewed comes up again.
    """
    now = datetime.now(UTC)
    claimed = claim(now)
    if claimed is None:
        return None
    try:
        return _review(claimed, now)
    except DatabaseUnavailable:
        raise
    except Exception as error:  # one subscription's fault must not hold up the others
        log.error("review.failed", subscription=str(claimed.id), fault=type(error).__name__, exc_info=error)
        _reschedule(claimed, LEASE.total_seconds(), MAX_ERROR_BACKOFF_SECONDS)
    return True


@transaction
def claim(connection: Connection, now: datetime) -> ClaimedReview | None:
    """Return the subscription that has been due for longest, this worker's alone until its lease ends."""
    lease = now + LEASE
    due = connection.execute(CLAIM, {"now": now, "lease": lease}).scalar_one_or_none()
    return ClaimedReview(due, lease) if due else None


def _review(claimed: ClaimedReview, now: datetime) -> bool:
    joined = _match_events(claimed)
    if joined is None:
        return True
    apply.log_changes(joined.changes)
    if not entitlements.exist_for(joined.subscription.product_code):
        _finish(joined, None, now)
        return True
    try:
        found = aws_entitlements.fetch_all(subscriptions.customer_of(joined.subscription))
    except MarketplaceError as error:
        _reschedule(joined, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
        log.error("entitlements.read_failed", subscription=str(joined.id), fault=type(error).__name__, code=error.code)
        return False
    status = _finish(joined, found, now)
    log.info("entitlements.read", subscription=str(joined.id), count=len(found), status=status)
    return True


@transaction
def _match_events(connection: Connection, claimed: ClaimedReview) -> MatchedSubscription | None:
    caught_up = apply.attach_waiting_events(connection, claimed.id)
    if caught_up is None:
        return None
    subscription_id, applied = caught_up
    leased = update(Subscription).where(Subscription.id == subscription_id).values(review_at=claimed.lease)
    found = connection.execute(leased.returning(Subscription.__table__)).one()
    _announce_license_change(connection, found)
    return MatchedSubscription(subscription_id, claimed.lease, found, applied)


def _announce_license_change(connection: Connection, subscription: Row[Any]) -> None:
    """Promise to tell the product of the license, where the last that it heard of is another, or none.

    It has to meter with the license that there is, which a renewal or a landing may have brought.
    """
    takes_handoffs = handoff_endpoints.for_product(subscription.product_code) is not None
    heard = queue.latest_uncancelled_handoff(connection, subscription.id) if takes_handoffs else None
    known = heard and heard.payload["data"]["subscription"]["license_arn"]
    if heard and keys.license_id(known or "") != keys.license_id(subscription.license_arn or ""):
        announce.announce(connection, subscription.id, announce.LICENSE_CHANGED)


@transaction
def _finish(
    connection: Connection, matched: MatchedSubscription, fetched: list[AwsEntitlement] | None, fetched_at: datetime
) -> str | None:
    subscriptions.lock(connection, matched.id)
    # A renewal may have come since, with another license.
    same = (Subscription.id == matched.id, Subscription.purchase_key == matched.subscription.purchase_key)
    is_new = fetched is not None and _store_entitlements(connection, matched, same, fetched, fetched_at)
    # Whoever has come since, or whatever has changed, has set another time: that review is still to be done.
    done = update(Subscription).where(*same, Subscription.review_at == matched.lease)
    connection.execute(done.values(review_at=None, review_failures=0))
    status = recompute.update_subscription(connection, matched.id)
    if is_new:
        announce.announce(connection, matched.id, announce.ENTITLEMENTS_CHANGED)
    return status


def _store_entitlements(
    connection: Connection,
    matched: MatchedSubscription,
    conditions: tuple[ColumnElement[bool], ...],
    fetched: list[AwsEntitlement],
    fetched_at: datetime,
) -> bool:
    """Keep what AWS told of the entitlements; return whether it is something else than before."""
    before = connection.execute(select(Subscription.entitlements).where(*conditions)).one_or_none()
    stored = entitlements.to_stored(fetched, matched.subscription.license_arn)
    if before is not None and before.entitlements and entitlements.is_same(before.entitlements, stored):
        stored = before.entitlements
    told: dict[str, Any] = {"entitlements": stored, "entitlements_read_at": fetched_at}
    if before is not None and before.entitlements != stored:
        told["changed_at"] = datetime.now(UTC)
    connection.execute(update(Subscription).where(*conditions).values(told))
    return before is not None and (before.entitlements or []) != stored


@transaction
def _reschedule(
    connection: Connection, claimed: ClaimedReview | MatchedSubscription, first_seconds: float, max_seconds: float
) -> None:
    mine = (Subscription.id == claimed.id, Subscription.review_at == claimed.lease)
    failures = connection.execute(select(Subscription.review_failures + 1).where(*mine)).scalar_one_or_none()
    if failures:
        pause = timedelta(seconds=queue.backoff_seconds(failures, first_seconds, max_seconds))
        later = {"review_at": datetime.now(UTC) + pause, "review_failures": failures}
        connection.execute(update(Subscription).where(*mine).values(later))
