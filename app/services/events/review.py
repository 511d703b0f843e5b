"""Reviews: after a landing or a change, the worker joins a subscription with its events and reads its entitlements."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Row, select, update

from app.aws import get_entitlements as aws_entitlements
from app.aws.get_entitlements import AwsEntitlement
from app.backoff import backoff_seconds
from app.config import handoff_endpoints
from app.database import leases
from app.database.leases import Lease, claim_statement, is_leased
from app.database.transactions import transaction
from app.errors import DatabaseUnavailable, MarketplaceError
from app.models import Subscription
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
CLAIM = claim_statement(Subscription, "review_at")
IS_LEASED = is_leased(Subscription.id, Subscription.review_at)
NEXT_FAILURE = select(Subscription.review_failures + 1).where(IS_LEASED)


@dataclass(frozen=True)
class MatchedSubscription:
    """A claimed subscription after it was matched with its events, and the changes of status that came of it.

    The lease names the subscription that it is by now: matching may have merged it into an older one.
    """

    lease: Lease
    subscription: Row[Any]
    changes: list[StatusChange]


def process_next() -> bool | None:
    """Review the subscription that has been due for longest.

    Returns True where that is done, False where AWS did not tell its entitlements, None where none is due. One that
    fails in a way nobody foresaw is put off, ever longer, and holds up no other.

    Raises:
        DatabaseUnavailable: whatever was not reviewed comes up again.
    """
    now = datetime.now(UTC)
    lease = claim(now)
    if lease is None:
        return None
    try:
        return _review(lease, now)
    except DatabaseUnavailable:
        raise
    except Exception as error:  # one subscription's fault must not hold up the others
        log.error("review.failed", subscription=str(lease.id), fault=type(error).__name__, exc_info=error)
        _reschedule(lease, LEASE.total_seconds(), MAX_ERROR_BACKOFF_SECONDS)
    return True


@transaction
def claim(connection: Connection, now: datetime) -> Lease | None:
    """Return the lease of the subscription that has been due for longest; None where none is due."""
    claimed = leases.claim(connection, CLAIM, now, LEASE)
    return claimed[0] if claimed else None


def _review(lease: Lease, now: datetime) -> bool:
    matched = _match_events(lease)
    if matched is None:
        return True
    apply.log_changes(matched.changes)
    if not entitlements.exist_for(matched.subscription.product_code):
        _finish(matched, None, now)
        return True
    try:
        found = aws_entitlements.fetch_all(subscriptions.customer_of(matched.subscription))
    except MarketplaceError as error:
        _reschedule(matched.lease, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
        log.error(
            "entitlements.read_failed", subscription=str(matched.lease.id), fault=type(error).__name__, code=error.code
        )
        return False
    status = _finish(matched, found, now)
    log.info("entitlements.read", subscription=str(matched.lease.id), count=len(found), status=status)
    return True


@transaction
def _match_events(connection: Connection, lease: Lease) -> MatchedSubscription | None:
    caught_up = apply.attach_waiting_events(connection, lease.id)
    if caught_up is None:
        return None
    subscription_id, applied = caught_up
    leased = update(Subscription).where(Subscription.id == subscription_id).values(review_at=lease.until)
    found = connection.execute(leased.returning(Subscription.__table__)).one()
    _announce_license_change(connection, found)
    return MatchedSubscription(Lease(subscription_id, lease.until), found, applied)


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
    subscription_id = matched.lease.id
    subscriptions.lock(connection, subscription_id)
    # A renewal may have come since, with another license.
    same = (Subscription.id == subscription_id, Subscription.purchase_key == matched.subscription.purchase_key)
    is_new = fetched is not None and _store_entitlements(connection, matched, same, fetched, fetched_at)
    # Whoever has come since, or whatever has changed, has set another time: that review is still to be done.
    done = update(Subscription).where(*same, Subscription.review_at == matched.lease.until)
    connection.execute(done.values(review_at=None, review_failures=0))
    status = recompute.update_subscription(connection, subscription_id)
    if is_new:
        announce.announce(connection, subscription_id, announce.ENTITLEMENTS_CHANGED)
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
def _reschedule(connection: Connection, lease: Lease, first_seconds: float, max_seconds: float) -> None:
    failures = connection.execute(NEXT_FAILURE, lease.parameters).scalar_one_or_none()
    if failures:
        pause = timedelta(seconds=backoff_seconds(failures, first_seconds, max_seconds))
        later = update(Subscription).where(IS_LEASED)
        values = {"review_at": datetime.now(UTC) + pause, "review_failures": failures}
        connection.execute(later.values(values), lease.parameters)
