"""Joining: which subscription a notification or a landing is about. A renewal stays the subscription that it renews."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.aws.customer import Customer
from app.models import Subscription
from app.services.events import agreements as events_agreements
from app.services.events import merge
from app.services.events.agreements import AgreementChain
from app.services.events.merge import LicenseChange
from app.services.purchases import keys as purchases_keys
from app.services.purchases import status, subscriptions
from app.services.purchases.aws_event import AwsEvent


@dataclass(frozen=True)
class Match:
    """The subscriptions that something may be about, none that is known yet, one, or several; and its agreements."""

    subscription_ids: list[UUID]
    agreement_ids: tuple[str, ...] = ()
    is_unambiguous: bool = True


def find_for_event(connection: Connection, event: AwsEvent) -> Match:
    """Return the subscriptions that a notification may be about.

    A license, and a customer of an old listing, that nobody has heard of yet is recorded.
    """
    if event.customer_identifier:
        return Match(_ensure_of_customer(connection, event))
    key = purchases_keys.license_id(event.license_arn) if event.license_arn else None
    chain = events_agreements.lock_chain(
        connection, (event.agreement_id, event.previous_agreement_id), key, event.customer_aws_account_id
    )
    if event.license_arn and event.product_code:
        found = [_subscription_of_license(connection, chain, customer_of(event))]
    else:
        found = _subscription_of_chain(connection, chain)
    return Match(found, chain.agreement_ids, chain.is_unambiguous)


def find_for_landing(connection: Connection, subscription_id: UUID) -> Match:
    """Return the subscription that a purchase which has landed is, as far as events told of it by other names.

    A landing knows nothing of renewals, and AWS may leave out its license. None where it is part of another by now.
    """
    of_it = select(Subscription.__table__).where(Subscription.id == subscription_id)
    landed = connection.execute(of_it).one_or_none()
    if landed is None:
        return Match([])
    customer = subscriptions.customer_of(landed)
    chain = events_agreements.lock_chain(
        connection, (landed.agreement_id,), landed.purchase_key, customer.customer_aws_account_id
    )
    # Who held its account before may have merged it.
    if connection.execute(of_it).first() is None:
        return Match([])
    if customer.license_arn:
        found = _subscription_of_chain(connection, chain, _find_from_old_listing(connection, customer))
    elif customer.customer_identifier:
        found = [subscription_id]
    else:
        found = _merge_into_oldest(connection, {subscription_id, *_find_with_license(connection, customer)})
    return Match(found if len(found) == 1 else [subscription_id], chain.agreement_ids, chain.is_unambiguous)


def _subscription_of_license(connection: Connection, chain: AgreementChain, customer: Customer) -> UUID:
    landed = _find_landed_without_license(connection, customer)
    key = purchases_keys.purchase_key(customer)
    if chain.is_unambiguous:
        _subscription_of_chain(connection, chain, landed)
    elif landed and not connection.execute(events_agreements.select_ids_by_key({key})).first():
        _set_license(connection, landed, LicenseChange(key, customer.license_arn, customer.agreement_id))
    return subscriptions.ensure_from_event(connection, customer)


def _subscription_of_chain(connection: Connection, chain: AgreementChain, landed_id: UUID | None = None) -> list[UUID]:
    """Return the subscriptions of a chain of agreements: one, where it is clear that all of it is one purchase."""
    known = set(chain.subscription_ids)
    if not chain.is_unambiguous:
        return sorted(known)
    found = _merge_into_oldest(connection, known | {landed_id} if landed_id else known)
    if len(found) == 1 and chain.current_license:
        agreement_id, key, arn = chain.current_license
        _set_license(connection, found[0], LicenseChange(key, arn, agreement_id))
        for earlier in chain.license_ids - {key}:
            subscriptions.store_earlier_key(connection, earlier, key)
    return found


def _merge_into_oldest(connection: Connection, subscription_ids: set[UUID]) -> list[UUID]:
    """Merge subscriptions that are one purchase; those of different products or accounts are not."""
    product, account = Subscription.product_code, Subscription.customer_aws_account_id
    parties = select(func.count(product.distinct()), func.count(account.distinct())).where(
        Subscription.id.in_(subscription_ids)
    )
    if len(subscription_ids) < 2 or max(connection.execute(parties).one()) > 1:
        return sorted(subscription_ids)
    kept, *others = sorted(subscription_ids)
    for other in others:
        merge.merge(connection, kept, other)
    return [kept]


def _set_license(connection: Connection, subscription_id: UUID, license_change: LicenseChange) -> None:
    """Give the subscription its present license, if that is another than it has."""
    key = select(Subscription.purchase_key).where(Subscription.id == subscription_id)
    if connection.execute(key).scalar_one() != license_change.purchase_key:
        merge.replace_license(connection, subscription_id, license_change)


def _find_landed_without_license(connection: Connection, customer: Customer) -> UUID | None:
    keys = {f"{customer.product_code}/{customer.customer_aws_account_id}", purchases_keys.key_without_license(customer)}
    landed = select(Subscription.id, Subscription.purchase_key).where(
        Subscription.purchase_key.in_(keys), Subscription.license_arn.is_(None)
    )
    found = connection.execute(landed).all()
    # The longer key has the agreement in it.
    return max(found, key=lambda row: len(row.purchase_key)).id if found else None


def _find_with_license(connection: Connection, customer: Customer) -> list[UUID]:
    """Return the subscription with a license that a purchase without one must be, if that is clear."""
    same = (
        Subscription.agreement_id == customer.agreement_id
        if customer.agreement_id
        else Subscription.customer_aws_account_id == customer.customer_aws_account_id
    )
    licensed = select(Subscription.id).where(
        same, Subscription.product_code == customer.product_code, Subscription.license_arn.is_not(None)
    )
    if not customer.agreement_id:
        # Who has come with that license before, or whose purchase is over, has bought again.
        licensed = licensed.where(
            Subscription.last_seen_at.is_(None), Subscription.status.not_in(status.FINAL_STATUSES)
        )
    found = list(connection.execute(licensed).scalars())
    return found if len(found) == 1 else []


def _find_from_old_listing(connection: Connection, customer: Customer) -> UUID | None:
    """Return what SNS made of a customer of an old listing that has licenses since."""
    if not customer.customer_identifier:
        return None
    same_agreement = Subscription.agreement_id.is_(None) | (Subscription.agreement_id == customer.agreement_id)
    before = select(Subscription.id).where(
        Subscription.purchase_key == purchases_keys.key_without_license(customer),
        Subscription.license_arn.is_(None),
        same_agreement,
    )
    return connection.execute(before).scalar_one_or_none()


def _ensure_of_customer(connection: Connection, event: AwsEvent) -> list[UUID]:
    return _find_of_customer(connection, event) or [subscriptions.ensure_from_event(connection, customer_of(event))]


def _find_of_customer(connection: Connection, event: AwsEvent) -> list[UUID]:
    theirs = select(Subscription.id).where(
        Subscription.customer_identifier == event.customer_identifier,
        Subscription.product_code == event.product_code,
    )
    return sorted(connection.execute(theirs).scalars())


def customer_of(event: AwsEvent) -> Customer:
    """Return the customer whom a notification names."""
    return Customer(
        product_code=event.product_code or "",
        customer_aws_account_id=event.customer_aws_account_id,
        customer_identifier=event.customer_identifier,
        license_arn=event.license_arn,
        agreement_id=event.agreement_id,
    )
