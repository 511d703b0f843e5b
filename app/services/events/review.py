"""Reviews: after a landing or a change, the worker matches a subscription with its events and reads entitlements."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, select, update

from app.aws import get_entitlements
from app.aws.customer import Customer, license_id
from app.aws.event_kinds import AwsEventKind
from app.aws.fields import EARLIEST_TIME
from app.aws.get_entitlements import AwsEntitlement
from app.backoff import backoff_seconds
from app.database import clock, leases
from app.database.transactions import after_commit, query, transaction
from app.errors import DatabaseUnavailable, MarketplaceError
from app.models import Event, Subscription
from app.services.events import apply, status
from app.services.outbox import announce, payload
from app.services.purchases import entitlements, subscriptions

log = structlog.get_logger()

# Longer than GetEntitlements takes at the most. After a worker was killed, another takes over this much later.
LEASE = timedelta(minutes=5)
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 5, 600
# They come within about an hour.
BELIEVED_EMPTY_ANSWERS = 12
# An error of Foyer's own takes a person to mend.
MAX_ERROR_BACKOFF_SECONDS = 86400
CLAIM = leases.claim_statement(Subscription.__table__, "review_at")
IS_LEASED = leases.is_leased(Subscription.id, Subscription.review_at)
NEXT_FAILURE = select(Subscription.review_failures + 1).where(IS_LEASED)
RESCHEDULE = update(Subscription).where(IS_LEASED)
# The lease moves to the subscription that a claimed one was merged into.
MOVE_LEASE = subscriptions.UPDATE_ROW.returning(Subscription.__table__)
# A renewal may have brought another license since the lease began: what AWS answered is then not about this one.
HAS_SAME_KEY = Subscription.purchase_key == bindparam("leased_key")
SELECT_UNREAD_CHANGE = (
    select(Event.id)
    .where(Event.subscription_id == bindparam("subscription"), Event.kind == AwsEventKind.ENTITLEMENT_UPDATED)
    .where(Event.received_at > bindparam("read_at"))
    .limit(1)
)
SELECT_ENTITLEMENTS = select(Subscription.entitlements).where(Subscription.id == bindparam("leased_id"), HAS_SAME_KEY)
UPDATE_ENTITLEMENTS = update(Subscription).where(Subscription.id == bindparam("leased_id"), HAS_SAME_KEY)
# A landing or an event since then has set another due time: that review is still to be done.
END_LEASE = update(Subscription).where(IS_LEASED, HAS_SAME_KEY).values(review_at=None, review_failures=0)


def process_next() -> bool | None:
    """Review the subscription that has been due for longest.

    Returns True where that is done, False where GetEntitlements failed, None where none is due. After an unforeseen
    error the subscription is rescheduled, ever later, so that it does not hold up the others. After
    DatabaseUnavailable, a subscription that was claimed is due again once its lease ends.
    """
    lease = claim()
    if lease is None:
        return None
    try:
        return _review(lease)
    except DatabaseUnavailable:
        raise
    except Exception as error:  # one subscription's fault must not hold up the others
        log.error("review.failed", subscription=str(lease.id), fault=type(error).__name__, exc_info=error)
        _reschedule(lease, LEASE.total_seconds(), MAX_ERROR_BACKOFF_SECONDS)
    return True


@transaction
def claim(connection: Connection) -> leases.Lease | None:
    """Return the lease of the subscription that has been due for longest; None where none is due."""
    claimed = leases.claim(connection, CLAIM, LEASE)
    return claimed[0] if claimed else None


def _review(lease: leases.Lease) -> bool:
    subscription = _match_events(lease)
    if subscription is None:
        return True
    fetched, fetched_at = None, clock.now()
    try:
        if entitlements.exist_for(subscription.product_code):
            fetched = get_entitlements.fetch_all(Customer.from_row(subscription))
    except MarketplaceError as error:
        _reschedule(_lease_of(subscription), FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
        fault = type(error).__name__
        log.error("entitlements.read_failed", subscription=str(subscription.id), fault=fault, code=error.code)
        return False
    if fetched is not None and _is_doubtful(subscription, fetched):
        log.info("entitlements.empty", subscription=str(subscription.id), answers=subscription.review_failures + 1)
        _reschedule(_lease_of(subscription), FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
        return True
    _finish(subscription, fetched, fetched_at)
    return True


@transaction
def _match_events(connection: Connection, lease: leases.Lease) -> Row[Any] | None:
    """Return the claimed subscription, or the older one that it was merged into, due when the lease ends."""
    subscription_id = apply.attach_waiting_events(connection, lease.id)
    if subscription_id is None:
        return None
    moved_lease = {"subscription_id": subscription_id, "review_at": lease.until}
    subscription = connection.execute(MOVE_LEASE, moved_lease).one()
    current_license_id = license_id(subscription.license_arn or "")
    announce.announce_license(connection, subscription.id, subscription.product_code, current_license_id)
    return subscription


@query
def _is_doubtful(connection: Connection, subscription: Row[Any], fetched: list[AwsEntitlement]) -> bool:
    """Return whether AWS told of a change, and GetEntitlements does not know yet of the contract that it began.

    AWS promises no time after which it does, so the last of many empty answers is believed.
    """
    if subscription.review_failures + 1 >= BELIEVED_EMPTY_ANSWERS or subscription.status in status.ACCESS_STATUSES:
        return False
    now = clock.now()
    if not all(entitlement.expired(now) for entitlement in fetched):
        return False
    names = {"subscription": subscription.id, "read_at": subscription.entitlements_read_at or EARLIEST_TIME}
    return connection.execute(SELECT_UNREAD_CHANGE, names).first() is not None


@transaction
def _finish(
    connection: Connection, subscription: Row[Any], fetched: list[AwsEntitlement] | None, fetched_at: datetime
) -> None:
    """Store what GetEntitlements answered, None where it was not called, and end the lease."""
    subscriptions.lock(connection, subscription.id)
    has_changed = fetched is not None and _store_entitlements(connection, subscription, fetched, fetched_at)
    connection.execute(END_LEASE, _parameters(subscription))
    state = status.recompute(connection, subscription.id)
    if has_changed:
        announce.announce(connection, subscription.id, payload.HandoffType.ENTITLEMENTS_CHANGED)
    if fetched is not None:
        names = {"subscription": str(subscription.id), "count": len(fetched), "status": state and state.status}
        after_commit(log.info, "entitlements.read", **names)


def _store_entitlements(
    connection: Connection, subscription: Row[Any], fetched: list[AwsEntitlement], fetched_at: datetime
) -> bool:
    """Store the entitlements where the license is the same; return whether they differ from those before."""
    before = connection.execute(SELECT_ENTITLEMENTS, _parameters(subscription)).one_or_none()
    if before is None:
        return False
    stored = entitlements.to_stored(fetched, subscription.license_arn)
    if before.entitlements and entitlements.is_same(before.entitlements, stored):
        stored = before.entitlements
    values: dict[str, Any] = {"entitlements": stored, "entitlements_read_at": fetched_at}
    if before.entitlements != stored:
        values |= subscriptions.change()
    connection.execute(UPDATE_ENTITLEMENTS, {**_parameters(subscription), **values})
    return (before.entitlements or []) != stored


def _parameters(subscription: Row[Any]) -> dict[str, Any]:
    """Return the parameters of the statements that apply only while lease and license are the same."""
    return {**_lease_of(subscription).parameters, "leased_key": subscription.purchase_key}


def _lease_of(subscription: Row[Any]) -> leases.Lease:
    return leases.Lease(subscription.id, subscription.review_at)


@transaction
def _reschedule(connection: Connection, lease: leases.Lease, first_seconds: float, max_seconds: float) -> None:
    failures = connection.execute(NEXT_FAILURE, lease.parameters).scalar_one_or_none()
    if failures:
        backoff = timedelta(seconds=backoff_seconds(failures, first_seconds, max_seconds))
        values = {"review_at": clock.now() + backoff, "review_failures": failures}
        connection.execute(RESCHEDULE, {**lease.parameters, **values})
