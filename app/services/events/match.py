"""Joining: which subscription a notification or a landing is about. A renewal stays the subscription that it renews."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from app.aws.customer import Customer
from app.models import Subscription
from app.services.events import agreements as events_agreements
from app.services.events import merge
from app.services.events.agreements import Chain
from app.services.events.merge import License
from app.services.purchases import keys as purchases_keys
from app.services.purchases import status, subscriptions
from app.services.purchases.aws_event import Notice


@dataclass(frozen=True)
class Found:
    """The subscriptions that something may be about, none that is known yet, one, or several; and its agreements."""

    subscriptions: list[UUID]
    agreements: tuple[str, ...] = ()
    is_clear: bool = True


def of_notice(connection: Connection, notice: Notice) -> Found:
    """Return the subscriptions that a notification may be about.

    A license, and a customer of an old listing, that nobody has heard of yet is recorded.
    """
    if notice.customer_identifier:
        return Found(_of_customer(connection, notice))
    key = purchases_keys.license_id(notice.license_arn) if notice.license_arn else None
    chain = events_agreements.hold(
        connection, (notice.agreement_id, notice.previous_agreement_id), key, notice.account_id
    )
    if notice.license_arn and notice.product_code:
        found = [_of_license(connection, chain, customer_of(notice))]
    else:
        found = _of_chain(connection, chain)
    return Found(found, chain.agreements, chain.is_clear)


def of_landing(connection: Connection, subscription_id: UUID) -> Found:
    """Return the subscription that a purchase which has landed is, as far as events told of it by other names.

    A landing knows nothing of renewals, and AWS may leave out its license. None where it is part of another by now.
    """
    of_it = select(Subscription.__table__).where(Subscription.id == subscription_id)
    landed = connection.execute(of_it).one_or_none()
    if landed is None:
        return Found([])
    customer = subscriptions.customer_of(landed)
    chain = events_agreements.hold(connection, (landed.agreement_id,), landed.purchase_key, customer.account_id)
    # Who held its account before may have merged it.
    if connection.execute(of_it).first() is None:
        return Found([])
    if customer.license_arn:
        found = _of_chain(connection, chain, _before_licenses(connection, customer))
    elif customer.customer_identifier:
        found = [subscription_id]
    else:
        found = _one(connection, {subscription_id, *_licensed(connection, customer)})
    return Found(found if len(found) == 1 else [subscription_id], chain.agreements, chain.is_clear)


def _of_license(connection: Connection, chain: Chain, customer: Customer) -> UUID:
    landed = _landed_without_license(connection, customer)
    key = purchases_keys.purchase_key(customer)
    if chain.is_clear:
        _of_chain(connection, chain, landed)
    elif landed and not connection.execute(events_agreements.known_as({key})).first():
        _give(connection, landed, License(key, customer.license_arn, customer.agreement_id))
    return subscriptions.know(connection, customer)


def _of_chain(connection: Connection, chain: Chain, landed: UUID | None = None) -> list[UUID]:
    """Return the subscriptions of a chain of agreements: one, where it is clear that all of it is one purchase."""
    known = set(chain.subscriptions)
    if not chain.is_clear:
        return sorted(known)
    found = _one(connection, known | {landed} if landed else known)
    if len(found) == 1 and chain.present:
        agreement_id, key, arn = chain.present
        _give(connection, found[0], License(key, arn, agreement_id))
        for earlier in chain.license_ids - {key}:
            subscriptions.remember_key(connection, earlier, key)
    return found


def _one(connection: Connection, known: set[UUID]) -> list[UUID]:
    """Merge subscriptions that are one purchase; those of different products or accounts are not."""
    product, account = Subscription.product_code, Subscription.customer_aws_account_id
    parties = select(func.count(product.distinct()), func.count(account.distinct())).where(Subscription.id.in_(known))
    if len(known) < 2 or max(connection.execute(parties).one()) > 1:
        return sorted(known)
    kept, *others = sorted(known)
    for other in others:
        merge.merge(connection, kept, other)
    return [kept]


def _give(connection: Connection, subscription_id: UUID, license_: License) -> None:
    """Give the subscription its present license, if that is another than it has."""
    key = select(Subscription.purchase_key).where(Subscription.id == subscription_id)
    if connection.execute(key).scalar_one() != license_.purchase_key:
        merge.renew(connection, subscription_id, license_)


def _landed_without_license(connection: Connection, customer: Customer) -> UUID | None:
    keys = {f"{customer.product_code}/{customer.account_id}", purchases_keys.key_without_license(customer)}
    landed = select(Subscription.id, Subscription.purchase_key).where(
        Subscription.purchase_key.in_(keys), Subscription.license_arn.is_(None)
    )
    found = connection.execute(landed).all()
    # The longer key has the agreement in it.
    return max(found, key=lambda row: len(row.purchase_key)).id if found else None


def _licensed(connection: Connection, landed: Customer) -> list[UUID]:
    """Return the subscription with a license that a purchase without one must be, if that is clear."""
    same = (
        Subscription.agreement_id == landed.agreement_id
        if landed.agreement_id
        else Subscription.customer_aws_account_id == landed.account_id
    )
    licensed = select(Subscription.id).where(
        same, Subscription.product_code == landed.product_code, Subscription.license_arn.is_not(None)
    )
    if not landed.agreement_id:
        # Who has come with that license before, or whose purchase is over, has bought again.
        licensed = licensed.where(Subscription.last_seen_at.is_(None), Subscription.status.not_in(status.FINAL))
    found = list(connection.execute(licensed).scalars())
    return found if len(found) == 1 else []


def _before_licenses(connection: Connection, customer: Customer) -> UUID | None:
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


def _of_customer(connection: Connection, notice: Notice) -> list[UUID]:
    return _customers(connection, notice) or [subscriptions.know(connection, customer_of(notice))]


def _customers(connection: Connection, notice: Notice) -> list[UUID]:
    theirs = select(Subscription.id).where(
        Subscription.customer_identifier == notice.customer_identifier,
        Subscription.product_code == notice.product_code,
    )
    return sorted(connection.execute(theirs).scalars())


def customer_of(notice: Notice) -> Customer:
    """Return the customer whom a notification names."""
    return Customer(
        product_code=notice.product_code or "",
        account_id=notice.account_id,
        customer_identifier=notice.customer_identifier,
        license_arn=notice.license_arn,
        agreement_id=notice.agreement_id,
    )
