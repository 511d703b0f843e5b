"""Merging: makes one subscription of several that are one purchase, and gives a subscription another license.

Everything of the source becomes the target's, and its purchase key leads to the target. Where both have a
registration, one remains, and `signup.attach.to_subscription` decides which. An account never changes hands: of two
stored replies, that of the stronger claim to an account remains (`outbox.account_claim`), and the target's where the
claims are equal. An erased person's account is deleted where another person's registration remains.
"""

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, Uuid, bindparam, delete, exists, func, select, update

from app import models
from app.aws.customer import license_id
from app.database import clock
from app.database.transactions import after_commit
from app.models import Account, AuditEntry, EarlierKey, OutboxMessage, Registration, Subscription
from app.services.events.agreements import PARTY_COLUMNS, SUBSCRIPTION_IDS, AgreementChain
from app.services.metering import ends
from app.services.operations import audit
from app.services.outbox import account_claim, account_reply, announce, payload, queue
from app.services.outbox.account_claim import Claim
from app.services.purchases import subscriptions
from app.services.signup import attach
from app.services.signup.attach import Claims

log = structlog.get_logger()

FILLED_COLUMNS = ("customer_aws_account_id", "customer_identifier", "license_arn", "agreement_id", "offer_type")
TARGET, SOURCE = bindparam("target", type_=Uuid), bindparam("source", type_=Uuid)
COUNT_PARTIES = select(*(func.count(Subscription.__table__.c[name].distinct()) for name in PARTY_COLUMNS)).where(
    Subscription.id.in_(SUBSCRIPTION_IDS)
)
DELETE_SUBSCRIPTION = delete(Subscription).where(Subscription.id == SOURCE)
DELETE_EARLIER_KEY = delete(EarlierKey).where(EarlierKey.purchase_key == bindparam("key"))
MOVE_ROWS = tuple(
    update(model).where(model.subscription_id == SOURCE).values(subscription_id=TARGET)
    for model in (
        models.Event,
        models.PendingToken,
        AuditEntry,
        EarlierKey,
        models.Invitation,
        models.UsageHour,
        models.UsageItem,
    )
)
LAST_SEQUENCE = select(func.max(OutboxMessage.sequence)).where(OutboxMessage.subscription_id == TARGET)
MOVE_OUTBOX = (
    update(OutboxMessage)
    .where(OutboxMessage.subscription_id == SOURCE)
    .values(subscription_id=TARGET, sequence=OutboxMessage.sequence + bindparam("last_sequence"))
)
DELETE_ACCOUNT = delete(Account).where(Account.subscription_id == bindparam("dropped", type_=Uuid))
MOVE_ACCOUNT = update(Account).where(Account.subscription_id == SOURCE).values(subscription_id=TARGET)
DELETE_ERASED_ACCOUNTS = delete(Account).where(
    Account.subscription_id.in_(SUBSCRIPTION_IDS),
    ~exists().where(Registration.subscription_id == Account.subscription_id),
    exists().where(
        AuditEntry.subscription_id == Account.subscription_id, AuditEntry.action == audit.REGISTRATION_ERASED
    ),
    exists().where(Registration.subscription_id.in_(SUBSCRIPTION_IDS)),
)
REDIRECT_ACCOUNT_REQUESTS = (
    update(Registration)
    .where(Registration.account == bindparam("source_account"))
    .values(account=bindparam("target_account"))
    .returning(Registration.subscription_id)
)
# A buyer who asked for the account of what turned out to be the same purchase asks for its own.
REQUEST_OWN_ACCOUNT = (
    update(Registration)
    .where(Registration.subscription_id == TARGET, Registration.account == bindparam("target_account"))
    .values(account="new")
)


def merge_chain(connection: Connection, chain: AgreementChain, landed_id: UUID | None = None) -> list[UUID]:
    """Merge the subscriptions of a chain and a landing that is part of it; set the chain's current license.

    Returns the one that remains; several, unmerged, where the chain is ambiguous or they are of two customers.
    """
    if not chain.is_unambiguous:
        return sorted(chain.subscriptions)
    subscription_ids = {*chain.subscriptions, *([landed_id] if landed_id else [])}
    remaining_ids = merge_into_one(connection, subscription_ids)
    if len(remaining_ids) == 1 and chain.licenses:
        [remaining_id] = remaining_ids
        license_arn, agreement_id = chain.licenses[-1]
        current_key = license_id(license_arn)
        # Locking the chain has read it, unless something has been merged since.
        is_read = subscription_ids == chain.subscriptions.keys() == {remaining_id}
        row = chain.subscriptions[remaining_id] if is_read else subscriptions.find_row(connection, remaining_id)
        if row and row.purchase_key != current_key:
            replace_license(connection, row.id, license_arn, agreement_id)
        for earlier_key in chain.license_ids - {current_key}:
            subscriptions.store_earlier_key(connection, earlier_key, current_key)
    return remaining_ids


def merge_into_one(connection: Connection, subscription_ids: set[UUID]) -> list[UUID]:
    """Merge subscriptions that are one purchase; not those of different products or AWS accounts.

    The oldest remains, unless the product may have made an account for several: then that of the strongest claim. A
    product looks for its account under the remaining id first, and has to find that of the registration that remains.
    """
    parties = {"subscription_ids": list(subscription_ids)}
    if len(subscription_ids) < 2 or max(connection.execute(COUNT_PARTIES, parties).one()) > 1:
        return sorted(subscription_ids)
    claims = {id_: _lock_and_find_claim(connection, id_) for id_ in sorted(subscription_ids)}
    has_several = sum(claim > Claim.WAITING for claim in claims.values()) > 1
    remaining_id, *other_ids = sorted(claims, key=lambda id_: (-claims[id_] if has_several else 0, id_))
    for other_id in other_ids:
        merge(connection, remaining_id, other_id)
    return [remaining_id]


def _lock_and_find_claim(connection: Connection, subscription_id: UUID) -> Claim:
    subscriptions.lock_row(connection, subscription_id)
    return account_claim.of_subscription(connection, subscription_id)


def replace_license(connection: Connection, subscription_id: UUID, license_arn: str, agreement_id: str | None) -> None:
    """Give the subscription another license; the key it had leads to it still.

    The worker reviews it next, and announces the license to a product that has the earlier one.
    """
    before = subscriptions.lock_row(connection, subscription_id)
    key = license_id(license_arn)
    names = {"purchase_key": key, "license_arn": license_arn, "agreement_id": agreement_id or before.agreement_id}
    # A new due time takes the lease from a worker that is reading the earlier license's entitlements.
    due = {"review_at": clock.now(), "review_failures": 0}
    subscriptions.update_row(connection, subscription_id, {**names, **due, **subscriptions.change()})
    connection.execute(DELETE_EARLIER_KEY, {"key": key})
    subscriptions.store_earlier_key(connection, before.purchase_key, key)


def merge(connection: Connection, target_id: UUID, source_id: UUID) -> None:
    """Move all of the source to the target, whose license wins; delete the source; announce a registered target."""
    target, source = subscriptions.lock_row(connection, target_id), subscriptions.lock_row(connection, source_id)
    ids = {"target": target_id, "source": source_id}
    connection.execute(DELETE_ERASED_ACCOUNTS, {"subscription_ids": [target_id, source_id]})
    claims = Claims(*(account_claim.of_subscription(connection, id_) for id_ in (source_id, target_id)))
    ends.lock_hours(connection, source_id)
    for statement in MOVE_ROWS:
        connection.execute(statement, ids)
    # The source's hand-offs come behind the target's, in one order.
    last_sequence = connection.execute(LAST_SEQUENCE, {"target": target_id}).scalar() or 0
    connection.execute(MOVE_OUTBOX, {**ids, "last_sequence": last_sequence})
    queue.reorder(connection, target_id)
    _merge_accounts(connection, target_id, source_id, claims)
    attach.to_subscription(connection, Registration.subscription_id == source_id, target_id, claims=claims)
    _redirect_account_requests(connection, target_id, source_id)
    connection.execute(DELETE_SUBSCRIPTION, {"source": source_id})
    subscriptions.update_row(connection, target_id, _merged_values(target, source))
    subscriptions.store_earlier_key(connection, source.purchase_key, target.purchase_key)
    if source.license_arn and not target.license_arn:
        replace_license(connection, target_id, source.license_arn, source.agreement_id)
    # A product that stored the source finds its id in `former_ids`.
    if attach.lock_registration(connection, Registration.subscription_id == target_id):
        announce.announce(connection, target_id, payload.HandoffType.REGISTRATION_UPDATED)
    after_commit(log.info, "subscription.merged", subscription=str(target_id), merged=str(source_id))


def _merge_accounts(connection: Connection, target_id: UUID, source_id: UUID, claims: Claims) -> None:
    has_reply = account_reply.account_of(connection, target_id) is not None
    is_sources = claims.source > claims.target or (claims.source == claims.target and not has_reply)
    connection.execute(DELETE_ACCOUNT, {"dropped": target_id if is_sources else source_id})
    connection.execute(MOVE_ACCOUNT, {"target": target_id, "source": source_id})


def _redirect_account_requests(connection: Connection, target_id: UUID, source_id: UUID) -> None:
    """Let the registrations that asked for the source's account ask for the target's."""
    accounts = {"target_account": str(target_id), "source_account": str(source_id)}
    for subscription_id in filter(None, connection.scalars(REDIRECT_ACCOUNT_REQUESTS, accounts).all()):
        announce.touch(connection, subscription_id)
    connection.execute(REQUEST_OWN_ACCOUNT, {"target": target_id, "target_account": str(target_id)})


def _merged_values(target: Row[Any], source: Row[Any]) -> dict[str, object]:
    return {
        **{name: getattr(target, name) or getattr(source, name) for name in FILLED_COLUMNS},
        "hints": source.hints or target.hints,
        "created_at": min(target.created_at, source.created_at),
        "last_seen_at": max(filter(None, (target.last_seen_at, source.last_seen_at)), default=None),
        "review_at": clock.now(),
        **subscriptions.change(),
        "former_ids": [*target.former_ids, str(source.id), *source.former_ids],
    }
