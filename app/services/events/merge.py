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
    ParkedToken,
    Registration,
    Subscription,
)
from app.services.operations import audit
from app.services.outbox import account_reply, announce, queue
from app.services.purchases import subscriptions
from app.services.signup import registrations

log = structlog.get_logger()

MOVED = (Event, ParkedToken, AuditEntry, EarlierKey, Invitation)


@dataclass(frozen=True)
class License:
    """What a renewal changes of a subscription."""

    purchase_key: str
    license_arn: str | None
    agreement_id: str | None


def renew(connection: Connection, subscription_id: UUID, license_: License) -> None:
    """Give the subscription another license; who comes with the one before still finds it.

    A product that has heard of the one before is told when the subscription is reviewed, which is due now.
    """
    subscriptions.hold(connection, subscription_id)
    before = _subscription(connection, subscription_id)
    values = {
        "purchase_key": license_.purchase_key,
        "license_arn": license_.license_arn or before.license_arn,
        "agreement_id": license_.agreement_id or before.agreement_id,
        # Whoever is reading the entitlements of the license before must not have the last word.
        "review_at": datetime.now(UTC),
        "review_failures": 0,
        "changed_at": datetime.now(UTC),
    }
    connection.execute(update(Subscription).where(Subscription.id == subscription_id).values(values))
    connection.execute(delete(EarlierKey).where(EarlierKey.purchase_key == license_.purchase_key))
    subscriptions.remember_key(connection, before.purchase_key, license_.purchase_key)


def merge(connection: Connection, kept_id: UUID, gone_id: UUID) -> None:
    """Make one subscription of two: everything of the second becomes the first's.

    Nothing is lost: of two registrations the latest answers stand, or of two people's those of whose account it is, and
    both purchase keys lead to what is kept. Of two licenses it has the first's. The account of somebody who was erased
    is not the other person's.
    """
    for subscription_id in (kept_id, gone_id):
        subscriptions.hold(connection, subscription_id)
    kept, gone = _subscription(connection, kept_id), _subscription(connection, gone_id)
    _drop_accounts_of_erased(connection, kept_id, gone_id)
    for model in MOVED:
        connection.execute(update(model).where(model.subscription_id == gone_id).values(subscription_id=kept_id))
    _move_outbox(connection, kept_id, gone_id)
    is_moved = _move_account(connection, kept_id, gone_id)
    registrations.join(connection, Registration.subscription_id == gone_id, kept_id, is_owner=is_moved)
    joining = update(Registration).where(Registration.account == str(gone_id))
    pointed = connection.execute(joining.values(account=str(kept_id)).returning(Registration.subscription_id))
    for pointing_id in filter(None, pointed.scalars().all()):
        announce.note(connection, pointing_id, datetime.now(UTC))
    # Who asked for the account of what has turned out to be the same purchase asks for none but its own.
    its_own = update(Registration).where(Registration.subscription_id == kept_id, Registration.account == str(kept_id))
    connection.execute(its_own.values(account="new"))
    connection.execute(delete(Subscription).where(Subscription.id == gone_id))
    connection.execute(update(Subscription).where(Subscription.id == kept_id).values(_together(kept, gone)))
    subscriptions.remember_key(connection, gone.purchase_key, kept.purchase_key)
    if gone.license_arn and not kept.license_arn:
        renew(connection, kept_id, License(gone.purchase_key, gone.license_arn, gone.agreement_id))
    # Whoever was told of the one that is gone hears here what it has become.
    if registrations.lock(connection, Registration.subscription_id == kept_id):
        announce.tell(connection, kept_id, announce.UPDATED)
    log.info("subscription.merged", subscription=str(kept_id), merged=str(gone_id))


def _move_outbox(connection: Connection, kept_id: UUID, gone_id: UUID) -> None:
    """Put the hand-offs of the one that goes behind those of the one that stays."""
    of_kept = select(func.max(OutboxMessage.sequence)).where(OutboxMessage.subscription_id == kept_id)
    behind = connection.execute(of_kept).scalar() or 0
    moved = update(OutboxMessage).where(OutboxMessage.subscription_id == gone_id)
    connection.execute(moved.values(subscription_id=kept_id, sequence=OutboxMessage.sequence + behind))
    queue.line_up(connection, kept_id)


def _drop_accounts_of_erased(connection: Connection, kept_id: UUID, gone_id: UUID) -> None:
    """Drop the account of somebody who was erased, where another person's registration is to be the one of both."""
    its_own = Registration.subscription_id == Account.subscription_id
    erased = (AuditEntry.subscription_id == Account.subscription_id, AuditEntry.action == audit.ERASED)
    ownerless = (Account.subscription_id.in_([kept_id, gone_id]), ~exists().where(its_own), exists().where(*erased))
    others = exists().where(Registration.subscription_id.in_([kept_id, gone_id]))
    connection.execute(delete(Account).where(*ownerless, others))


def _move_account(connection: Connection, kept_id: UUID, gone_id: UUID) -> bool:
    """Leave the one account of two that says more, and return whether it is the second's."""
    is_moved = _worth(connection, gone_id) > _worth(connection, kept_id)
    dropped_id = kept_id if is_moved else gone_id
    connection.execute(delete(Account).where(Account.subscription_id == dropped_id))
    moved = update(Account).where(Account.subscription_id == gone_id)
    connection.execute(moved.values(subscription_id=kept_id))
    return is_moved


def _worth(connection: Connection, subscription_id: UUID) -> int:
    """Return more for an account with a name than for one that was made without a word, a refusal, or nothing."""
    account = account_reply.of(connection, subscription_id)
    if account is None:
        return 0
    if account_reply.is_named(account):
        return 3
    owner = registrations.lock(connection, Registration.subscription_id == subscription_id)
    return 2 if owner and account_reply.is_made(connection, account, owner.id) else 1


def _together(kept: Row[Any], gone: Row[Any]) -> dict[str, object]:
    known = ("customer_aws_account_id", "customer_identifier", "license_arn", "agreement_id", "offer_type")
    landings = [seen for seen in (kept.last_seen_at, gone.last_seen_at) if seen]
    return {
        **{name: getattr(kept, name) or getattr(gone, name) for name in known},
        "hints": gone.hints or kept.hints,
        "created_at": min(kept.created_at, gone.created_at),
        "last_seen_at": max(landings, default=None),
        "review_at": datetime.now(UTC),
        "changed_at": datetime.now(UTC),
        "former_ids": [*kept.former_ids, str(gone.id), *gone.former_ids],
    }


def _subscription(connection: Connection, subscription_id: UUID) -> Row[Any]:
    return connection.execute(select(Subscription.__table__).where(Subscription.id == subscription_id)).one()
