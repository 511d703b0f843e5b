"""Matching: which subscription an event or a landing is about.

An event on SNS names the product and the customer identifier: any subscription of that customer may be meant. An event
on EventBridge, and a landing, belong to an agreement chain (see agreements.py). A worked example, in the order in
which Foyer receives it:

    landing  account 0123, no license, no agreement       creates S1, key product/0123
    event    License Updated, A0, l-1, account 0123       is S1's: the landing without license gets l-1 and A0
    event    Purchase Agreement Ended, A1                 A1 is unknown: no subscription, the event waits
    event    License Updated, A1, l-2                     creates S2, key l-2; A1's event is applied to it
    event    Purchase Agreement Created, A1, previous A0  A0 and A1 are one chain: S2 is merged into S1, which now has
                                                          license l-2; l-1 becomes an earlier key of S1
    landing  license l-1, from an old link                is S1's, by the earlier key

What is merged: all subscriptions of an unambiguous chain, into one; and a landing without a license, with the
one subscription that can be meant. What is left ambiguous, for a person to decide (`events replay --subscription`):
an event that several subscriptions match, such as one that names only an agreement with two licenses, a customer with
two subscriptions, or a renewal between chains of two accounts or products; and an event that names neither an
agreement nor a customer. A wrong merge would show one customer's data to another, and cannot be undone.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, func, or_, select

from app.aws.customer import Customer
from app.models import Subscription
from app.models.purchases import FINAL_STATUSES
from app.services.events import agreements, merge
from app.services.events.agreements import AgreementChain
from app.services.purchases import entitlements, subscriptions
from app.services.purchases.aws_event import AwsEvent


@dataclass(frozen=True)
class Match:
    """The subscriptions that an event or a landing may be about: none yet, one, or several, for a person to decide.

    `agreement_ids` are its chain's. Events that wait for one of them can be applied where there is one subscription.
    `reviewed_license_id` is its license, where a review would find nothing more, and none is due.
    """

    subscription_ids: list[UUID]
    agreement_ids: tuple[str, ...] = ()
    is_unambiguous: bool = True
    has_waiting_events: bool = False
    reviewed_license_id: str | None = None


HAS_LICENSE = Subscription.license_arn.is_not(None)
# The longest key has the agreement in it.
SELECT_LANDED_WITHOUT_LICENSE = (
    select(Subscription.id)
    .where(Subscription.purchase_key.in_(agreements.PURCHASE_KEYS), ~HAS_LICENSE)
    .order_by(func.length(Subscription.purchase_key).desc())
)
# The parameters of these are a customer's fields.
SELECT_OF_PRODUCT = select(Subscription.id).where(Subscription.product_code == bindparam("product_code"))
SELECT_OF_CUSTOMER = SELECT_OF_PRODUCT.where(Subscription.customer_identifier == bindparam("customer_identifier"))
SELECT_LICENSED = SELECT_OF_PRODUCT.where(HAS_LICENSE)
SELECT_LICENSED_BY_AGREEMENT = SELECT_LICENSED.where(Subscription.agreement_id == bindparam("agreement_id"))
# A buyer who landed with that license before, or whose purchase is over, has bought again.
SELECT_LICENSED_BY_ACCOUNT = SELECT_LICENSED.where(
    Subscription.customer_aws_account_id == bindparam("customer_aws_account_id"),
    Subscription.last_seen_at.is_(None),
    Subscription.status.not_in(FINAL_STATUSES),
)
SELECT_FROM_OLD_LISTING = select(Subscription.id).where(
    Subscription.purchase_key == bindparam("key"),
    ~HAS_LICENSE,
    or_(Subscription.agreement_id.is_(None), Subscription.agreement_id == bindparam("agreement")),
)


def find_for_event(connection: Connection, event: AwsEvent, locked_ids: AbstractSet[str] = frozenset()) -> Match:
    """Return the subscriptions that an event may be about.

    Creates one where the event names a license (on an old listing: a customer) that no subscription has yet.
    `locked_ids` are what `agreements.lock` has locked already.
    """
    customer = Customer.from_row(event)
    if event.customer_identifier:
        subscription_ids = sorted(connection.scalars(SELECT_OF_CUSTOMER, vars(customer)))
        return Match(subscription_ids or [subscriptions.ensure_from_event(connection, customer)])
    key = customer.purchase_key if event.license_arn else None
    agreement_ids = (event.agreement_id, event.previous_agreement_id)
    chain = agreements.lock_chain(connection, agreement_ids, key, event.customer_aws_account_id, locked_ids)
    if event.license_arn and event.product_code:
        return _find_or_create_for_license(connection, chain, customer)
    return _match(merge.merge_chain(connection, chain), chain)


def find_for_landing(connection: Connection, subscription_id: UUID) -> Match:
    """Return the subscription that a landing is about: its own, or an older one that events created by other names.

    A landing names no renewal, and AWS may leave out its license. None where another transaction merged it meanwhile.
    """
    row = subscriptions.find_row(connection, subscription_id)
    if row is None:
        return Match([])
    customer = Customer.from_row(row)
    chain = agreements.lock_chain(connection, (row.agreement_id,), row.purchase_key, customer.customer_aws_account_id)
    # The transaction that had the lock before may have merged it.
    if subscription_id not in chain.subscriptions:
        return Match([])
    subscription_ids = [subscription_id]
    if customer.license_arn:
        subscription_ids = merge.merge_chain(connection, chain, _find_from_old_listing(connection, customer))
    elif not customer.customer_identifier:
        same_purchase = {subscription_id, *_find_only_licensed(connection, customer)}
        subscription_ids = merge.merge_into_one(connection, same_purchase)
    if len(subscription_ids) != 1:
        subscription_ids = [subscription_id]
    return _match(subscription_ids, chain)


def _match(subscription_ids: list[UUID], chain: AgreementChain, reviewed_license_id: str | None = None) -> Match:
    return Match(
        subscription_ids, chain.agreement_ids, chain.is_unambiguous, chain.has_waiting_events, reviewed_license_id
    )


def _find_or_create_for_license(connection: Connection, chain: AgreementChain, customer: Customer) -> Match:
    without_license = [f"{customer.product_code}/{customer.customer_aws_account_id}", customer.key_without_license]
    landed_id = connection.scalars(SELECT_LANDED_WITHOUT_LICENSE, {"purchase_keys": without_license}).first()
    license_id = None if landed_id else _find_settled_license(connection, chain, customer)
    known = next(iter(chain.subscriptions.values()), None)
    if license_id and known and chain.license_ids <= {license_id} and _has_values(known, customer):
        subscription_id = known.id
    else:
        _merge_with_landing(connection, chain, customer, landed_id)
        subscription_id = subscriptions.ensure_from_event(connection, customer, needs_review=not license_id)
    return _match([subscription_id], chain, license_id)


def _find_settled_license(connection: Connection, chain: AgreementChain, customer: Customer) -> str | None:
    """Return the license of the chain's one subscription, the known or a new one, where a review finds nothing to do.

    None where it may merge, replace the license or read entitlements, or where one is due anyway.
    """
    if not chain.is_unambiguous or len(chain.subscriptions) > 1 or entitlements.exist_for(customer.product_code):
        return None
    key = chain.current_license_id or customer.purchase_key
    if not chain.subscriptions:
        return key if chain.license_ids <= {customer.purchase_key} else None
    [known] = chain.subscriptions.values()
    if known.purchase_key != key or known.review_at:
        return None
    return None if _find_from_old_listing(connection, Customer.from_row(known)) else key


def _has_values(known: Row[Any], customer: Customer) -> bool:
    """Return whether the subscription has all that the event can fill in."""
    names = ("customer_aws_account_id", "license_arn", "agreement_id")
    return all(getattr(known, name) or not getattr(customer, name) for name in names)


def _merge_with_landing(
    connection: Connection, chain: AgreementChain, customer: Customer, landed_id: UUID | None
) -> None:
    if chain.is_unambiguous and (landed_id or chain.subscriptions):
        merge.merge_chain(connection, chain, landed_id)
    elif landed_id and customer.license_arn:
        own_key = {"purchase_keys": [customer.purchase_key]}
        if not connection.execute(agreements.SELECT_IDS_BY_KEY, own_key).first():
            merge.replace_license(connection, landed_id, customer.license_arn, customer.agreement_id)


def _find_only_licensed(connection: Connection, customer: Customer) -> list[UUID]:
    """Return the subscription with a license that a landing without one must be about; none where several may be."""
    statement = SELECT_LICENSED_BY_AGREEMENT if customer.agreement_id else SELECT_LICENSED_BY_ACCOUNT
    subscription_ids = list(connection.scalars(statement, vars(customer)))
    return subscription_ids if len(subscription_ids) == 1 else []


def _find_from_old_listing(connection: Connection, customer: Customer) -> UUID | None:
    """Return the subscription that SNS created for a customer of an old listing, which has licenses by now."""
    if not customer.customer_identifier:
        return None
    names = {"key": customer.key_without_license, "agreement": customer.agreement_id}
    return connection.execute(SELECT_FROM_OLD_LISTING, names).scalar_one_or_none()
