"""Merging: two subscriptions that turn out to be one purchase, and a purchase that gets another license."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, delete, exists, func, select, update

from app.models import (
    Account,
    AuditEntry,
    EarlierKey,
    Event,
    Invitation,
    OutboxMessage,
    PendingToken,
    Registration,
    Subscription,
)
from app.services.operations import audit
from app.services.outbox import account_reply, announce, queue
from app.services.purchases import subscriptions
from app.services.signup import attach

log = structlog.get_logger()

MOVED_MODELS = (Event, PendingToken, AuditEntry, EarlierKey, Invitation)


@dataclass(frozen=True)
class LicenseChange:
    """What a renewal changes of a subscription."""

    purchase_key: str
    license_arn: str | None
    agreement_id: str | None


def replace_license(connection: Connection, subscription_id: UUID, license_change: LicenseChange) -> None:
    """Give the subscription another license; who comes with the one before still finds it.

    A product that has heard of the one before is told when the subscription is reviewed, which is due now.
    """
    subscriptions.lock(connection, subscription_id)
    before = _load_subscription(connection, subscription_id)
    values = {
        "purchase_key": license_change.purchase_key,
        "license_arn": license_change.license_arn or before.license_arn,
        "agreement_id": license_change.agreement_id or before.agreement_id,
        # Whoever is reading the entitlements of the license before must not have the last word.
        "review_at": datetime.now(UTC),
        "review_failures": 0,
        "changed_at": datetime.now(UTC),
    }
    connection.execute(update(Subscription).where(Subscription.id == subscription_id).values(values))
    connection.execute(delete(EarlierKey).where(EarlierKey.purchase_key == license_change.purchase_key))
    subscriptions.store_earlier_key(connection, before.purchase_key, license_change.purchase_key)


def merge(connection: Connection, target_id: UUID, source_id: UUID) -> None:
    """Make one subscription of two: everything of the second becomes the first's.

    Nothing is lost: of two registrations the latest answers stand, or of two people's those of whose account it is, and
    both purchase keys lead to what is kept. Of two licenses it has the first's. The account of somebody who was erased
    is not the other person's.
    """
    for subscription_id in (target_id, source_id):
        subscriptions.lock(connection, subscription_id)
    kept, gone = _load_subscription(connection, target_id), _load_subscription(connection, source_id)
    _delete_erased_accounts(connection, target_id, source_id)
    for model in MOVED_MODELS:
        connection.execute(update(model).where(model.subscription_id == source_id).values(subscription_id=target_id))
    _move_outbox(connection, target_id, source_id)
    is_moved = _merge_accounts(connection, target_id, source_id)
    attach.to_subscription(connection, Registration.subscription_id == source_id, target_id, owns_account=is_moved)
    joining = update(Registration).where(Registration.account == str(source_id))
    pointed = connection.execute(joining.values(account=str(target_id)).returning(Registration.subscription_id))
    for pointing_id in filter(None, pointed.scalars().all()):
        announce.touch(connection, pointing_id, datetime.now(UTC))
    # Who asked for the account of what has turned out to be the same purchase asks for none but its own.
    its_own = update(Registration).where(
        Registration.subscription_id == target_id, Registration.account == str(target_id)
    )
    connection.execute(its_own.values(account="new"))
    connection.execute(delete(Subscription).where(Subscription.id == source_id))
    connection.execute(update(Subscription).where(Subscription.id == target_id).values(_merged_values(kept, gone)))
    subscriptions.store_earlier_key(connection, gone.purchase_key, kept.purchase_key)
    if gone.license_arn and not kept.license_arn:
        replace_license(connection, target_id, LicenseChange(gone.purchase_key, gone.license_arn, gone.agreement_id))
    # Whoever was told of the one that is gone hears here what it has become.
    if attach.lock_registration(connection, Registration.subscription_id == target_id):
        announce.announce(connection, target_id, announce.REGISTRATION_UPDATED)
    log.info("subscription.merged", subscription=str(target_id), merged=str(source_id))


def _move_outbox(connection: Connection, target_id: UUID, source_id: UUID) -> None:
    """Put the hand-offs of the one that goes behind those of the one that stays."""
    of_kept = select(func.max(OutboxMessage.sequence)).where(OutboxMessage.subscription_id == target_id)
    behind = connection.execute(of_kept).scalar() or 0
    moved = update(OutboxMessage).where(OutboxMessage.subscription_id == source_id)
    connection.execute(moved.values(subscription_id=target_id, sequence=OutboxMessage.sequence + behind))
    queue.reorder(connection, target_id)


def _delete_erased_accounts(connection: Connection, target_id: UUID, source_id: UUID) -> None:
    """Drop the account of somebody who was erased, where another person's registration is to be the one of both."""
    its_own = Registration.subscription_id == Account.subscription_id
    erased = (AuditEntry.subscription_id == Account.subscription_id, AuditEntry.action == audit.REGISTRATION_ERASED)
    ownerless = (Account.subscription_id.in_([target_id, source_id]), ~exists().where(its_own), exists().where(*erased))
    others = exists().where(Registration.subscription_id.in_([target_id, source_id]))
    connection.execute(delete(Account).where(*ownerless, others))


def _merge_accounts(connection: Connection, target_id: UUID, source_id: UUID) -> bool:
    """Leave the one account of two that says more, and return whether it is the second's."""
    is_moved = _account_rank(connection, source_id) > _account_rank(connection, target_id)
    dropped_id = target_id if is_moved else source_id
    connection.execute(delete(Account).where(Account.subscription_id == dropped_id))
    moved = update(Account).where(Account.subscription_id == source_id)
    connection.execute(moved.values(subscription_id=target_id))
    return is_moved


def _account_rank(connection: Connection, subscription_id: UUID) -> int:
    """Return more for an account with a name than for one that was made without a word, a refusal, or nothing."""
    account = account_reply.account_of(connection, subscription_id)
    if account is None:
        return 0
    if account_reply.is_identified(account):
        return 3
    owner = attach.lock_registration(connection, Registration.subscription_id == subscription_id)
    return 2 if owner and account_reply.exists(connection, account, owner.id) else 1


def _merged_values(target: Row[Any], source: Row[Any]) -> dict[str, object]:
    known = ("customer_aws_account_id", "customer_identifier", "license_arn", "agreement_id", "offer_type")
    landings = [seen for seen in (target.last_seen_at, source.last_seen_at) if seen]
    return {
        **{name: getattr(target, name) or getattr(source, name) for name in known},
        "hints": source.hints or target.hints,
        "created_at": min(target.created_at, source.created_at),
        "last_seen_at": max(landings, default=None),
        "review_at": datetime.now(UTC),
        "changed_at": datetime.now(UTC),
        "former_ids": [*target.former_ids, str(source.id), *source.former_ids],
    }


def _load_subscription(connection: Connection, subscription_id: UUID) -> Row[Any]:
    return connection.execute(select(Subscription.__table__).where(Subscription.id == subscription_id)).one()
