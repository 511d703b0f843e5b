"""Reviews: after a landing or a change, the worker matches a subscription with its events and reads entitlements."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, select, update

from app.aws import get_entitlements
from app.aws.customer import Customer, license_id
from app.aws.get_entitlements import AwsEntitlement
from app.backoff import backoff_seconds
from app.config import handoff_endpoints
from app.database import leases
from app.database.leases import Lease, claim_statement, is_leased
from app.database.transactions import after_commit, transaction
from app.errors import DatabaseUnavailable, MarketplaceError
from app.models import Subscription
from app.services.events import apply, recompute
from app.services.outbox import announce, queue
from app.services.outbox.payload import HandoffType
from app.services.purchases import entitlements, subscriptions

log = structlog.get_logger()

# Longer than GetEntitlements takes at the most. After a worker was killed, another takes over this much later.
LEASE = timedelta(minutes=5)
FIRST_BACKOFF_SECONDS = 5
MAX_BACKOFF_SECONDS = 600
# An error of Foyer's own takes a person to mend.
MAX_ERROR_BACKOFF_SECONDS = 86400
CLAIM = claim_statement(Subscription, "review_at")
IS_LEASED = is_leased(Subscription.id, Subscription.review_at)
NEXT_FAILURE = select(Subscription.review_failures + 1).where(IS_LEASED)
RESCHEDULE = update(Subscription).where(IS_LEASED)
# The lease moves to the subscription that a claimed one was merged into.
MOVE_LEASE = (
    update(Subscription)
    .where(Subscription.id == bindparam("leased_id"))
    .values(review_at=bindparam("leased_until"))
    .returning(Subscription.__table__)
)
# A renewal may have brought another license since the lease began: what AWS answered is then not about this one.
HAS_SAME_KEY = Subscription.purchase_key == bindparam("leased_key")
SELECT_ENTITLEMENTS = select(Subscription.entitlements).where(Subscription.id == bindparam("leased_id"), HAS_SAME_KEY)
UPDATE_ENTITLEMENTS = update(Subscription).where(Subscription.id == bindparam("leased_id"), HAS_SAME_KEY)
# A landing or an event since then has set another due time: that review is still to be done.
END_LEASE = update(Subscription).where(IS_LEASED, HAS_SAME_KEY).values(review_at=None, review_failures=0)


@dataclass(frozen=True)
class MatchedSubscription:
    """A claimed subscription after it was matched with its events.

    The lease names the subscription that it is by now: matching may have merged it into an older one.
    """

    lease: Lease
    subscription: Row[Any]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the statements that apply only while subscription and license are the same."""
        return {**self.lease.parameters, "leased_key": self.subscription.purchase_key}


def process_next() -> bool | None:
    """Review the subscription that has been due for longest.

    Returns True where that is done, False where GetEntitlements failed, None where none is due. After an unforeseen
    error the subscription is rescheduled, ever later, so that it does not hold up the others.

    Raises:
        DatabaseUnavailable: a subscription that was claimed is due again once its lease ends.
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
    if not entitlements.exist_for(matched.subscription.product_code):
        _finish(matched, None, now)
        return True
    try:
        fetched = get_entitlements.fetch_all(Customer.from_row(matched.subscription))
    except MarketplaceError as error:
        _reschedule(matched.lease, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
        log.error(
            "entitlements.read_failed", subscription=str(matched.lease.id), fault=type(error).__name__, code=error.code
        )
        return False
    _finish(matched, fetched, now)
    return True


@transaction
def _match_events(connection: Connection, lease: Lease) -> MatchedSubscription | None:
    subscription_id = apply.attach_waiting_events(connection, lease.id)
    if subscription_id is None:
        return None
    lease = Lease(subscription_id, lease.until)
    subscription = connection.execute(MOVE_LEASE, lease.parameters).one()
    _announce_license_change(connection, subscription)
    return MatchedSubscription(lease, subscription)


def _announce_license_change(connection: Connection, subscription: Row[Any]) -> None:
    """Announce the license where the product's latest hand-off has another one, or none.

    The product meters with the license, which a renewal or a landing may have changed.
    """
    takes_handoffs = handoff_endpoints.for_product(subscription.product_code) is not None
    handoff = queue.latest_uncancelled_handoff(connection, subscription.id) if takes_handoffs else None
    sent_license = handoff and handoff.payload["data"]["subscription"]["license_arn"]
    if handoff and license_id(sent_license or "") != license_id(subscription.license_arn or ""):
        announce.announce(connection, subscription.id, HandoffType.LICENSE_CHANGED)


@transaction
def _finish(
    connection: Connection, matched: MatchedSubscription, fetched: list[AwsEntitlement] | None, fetched_at: datetime
) -> None:
    """Store what GetEntitlements answered, None where it was not called, and end the lease."""
    subscription_id = matched.lease.id
    subscriptions.lock(connection, subscription_id)
    has_changed = fetched is not None and _store_entitlements(connection, matched, fetched, fetched_at)
    connection.execute(END_LEASE, matched.parameters)
    status = recompute.update_subscription(connection, subscription_id)
    if has_changed:
        announce.announce(connection, subscription_id, HandoffType.ENTITLEMENTS_CHANGED)
    if fetched is not None:
        after_commit(
            log.info, "entitlements.read", subscription=str(subscription_id), count=len(fetched), status=status
        )


def _store_entitlements(
    connection: Connection, matched: MatchedSubscription, fetched: list[AwsEntitlement], fetched_at: datetime
) -> bool:
    """Store the entitlements where the license is the same; return whether they differ from those before."""
    before = connection.execute(SELECT_ENTITLEMENTS, matched.parameters).one_or_none()
    if before is None:
        return False
    stored = entitlements.to_stored(fetched, matched.subscription.license_arn)
    if before.entitlements and entitlements.is_same(before.entitlements, stored):
        stored = before.entitlements
    values: dict[str, Any] = {"entitlements": stored, "entitlements_read_at": fetched_at}
    if before.entitlements != stored:
        values["changed_at"] = datetime.now(UTC)
    connection.execute(UPDATE_ENTITLEMENTS, {**matched.parameters, **values})
    return (before.entitlements or []) != stored


@transaction
def _reschedule(connection: Connection, lease: Lease, first_seconds: float, max_seconds: float) -> None:
    failures = connection.execute(NEXT_FAILURE, lease.parameters).scalar_one_or_none()
    if failures:
        backoff = timedelta(seconds=backoff_seconds(failures, first_seconds, max_seconds))
        values = {"review_at": datetime.now(UTC) + backoff, "review_failures": failures}
        connection.execute(RESCHEDULE, {**lease.parameters, **values})
