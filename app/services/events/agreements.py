"""Agreement chains: the agreements that renew or replace one another, and the licenses reported under each.

AWS names a purchase by its license, its agreement, or both, and a renewal changes either. A chain collects all those
names. A worked example, agreement A0 with license l-1, renewed by A1 with license l-2:

    License Updated             agreement A0, license l-1      l-1 is reported under A0
    Purchase Agreement Created  agreement A1, previous A0      A1 renews A0
    License Updated             agreement A1, license l-2      l-2 is reported under A1

`lock_chain` starts at any of the names, and adds the agreements next to those it has, and the other agreements of
their subscriptions, until it finds nothing new. The chain of A1 is:

    agreement_ids     A0, A1: the earliest first
    licenses          A0: l-1, A1: l-2
    current_license   l-2, of A1, the latest agreement with a license
    subscription_ids  those with key l-1 or l-2, now or earlier, and those whose landing or events name A0 or A1
    is_unambiguous    True: `merge` makes them one subscription. False where a chain cannot be one purchase: A0 has two
                      licenses, A0 is renewed by A1 and A2 with different licenses, or the chain has two AWS accounts
                      or two products. Nothing of two customers is ever merged.

`lock_chain` locks a row of the table `agreements` for the AWS account, then one for each agreement. The account comes
first: two workers that each locked one of its agreements, and then found the other's, would deadlock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, CompoundSelect, Connection, String, Uuid, bindparam, or_, select, text, union

from app.aws.customer import license_id
from app.models import EarlierKey, Event, Subscription

# As long as the column of the agreements' ids.
MAX_ID_LENGTH = 64

AgreementId = str
LicenseArnsById = Mapping[str, str]


class Renewal(NamedTuple):
    """One agreement that renews or replaces another."""

    before: AgreementId
    after: AgreementId


@dataclass(frozen=True)
class CurrentLicense:
    """The license that a subscription has now; the license's id is the purchase key."""

    purchase_key: str
    license_arn: str | None
    agreement_id: AgreementId | None


@dataclass(frozen=True)
class AgreementChain:
    """Agreements, the earliest first, the licenses reported under each, and the subscriptions that have any of them.

    `is_unambiguous`: nothing that Foyer has received speaks against all of it being one purchase.
    """

    agreement_ids: tuple[AgreementId, ...]
    licenses: Mapping[AgreementId, LicenseArnsById]
    subscription_ids: frozenset[UUID]
    is_unambiguous: bool

    @property
    def license_ids(self) -> set[str]:
        """The ids of all its licenses."""
        return {own_id for licenses in self.licenses.values() for own_id in licenses}

    @property
    def current_license(self) -> CurrentLicense | None:
        """The license of the latest agreement that has one."""
        for agreement_id in reversed(self.agreement_ids):
            for own_id, arn in self.licenses.get(agreement_id, {}).items():
                return CurrentLicense(own_id, arn, agreement_id)
        return None


def select_ids_by_agreement(agreement_ids: Collection[str] | BindParameter[Any]) -> CompoundSelect[tuple[UUID]]:
    """Return the query for the subscriptions whose landing or events name these agreements."""
    attached = select(Event.subscription_id).where(Event.subscription_id.is_not(None))
    return union(
        select(Subscription.id).where(Subscription.agreement_id.in_(agreement_ids)),
        attached.where(Event.agreement_id.in_(agreement_ids)),
        attached.where(Event.previous_agreement_id.in_(agreement_ids)),
    )


def select_ids_by_key(purchase_keys: Collection[str] | BindParameter[Any]) -> CompoundSelect[tuple[UUID]]:
    """Return the query for the subscriptions that have these purchase keys, or had them earlier."""
    return union(
        select(Subscription.id).where(Subscription.purchase_key.in_(purchase_keys)),
        select(EarlierKey.subscription_id).where(EarlierKey.purchase_key.in_(purchase_keys)),
    )


LOCK_AGREEMENT = text("INSERT INTO agreements (id) VALUES (:id) ON CONFLICT (id) DO UPDATE SET id = excluded.id")
AGREEMENT_IDS = bindparam("agreement_ids", expanding=True, type_=String)
SUBSCRIPTION_IDS = bindparam("subscription_ids", expanding=True, type_=Uuid)
PURCHASE_KEYS = bindparam("purchase_keys", expanding=True, type_=String)
IS_OURS = Event.outcome != "not_ours"
SELECT_SUBSCRIPTION_IDS: CompoundSelect[tuple[UUID]] = union(
    *select_ids_by_agreement(AGREEMENT_IDS).selects, *select_ids_by_key(PURCHASE_KEYS).selects
)
# One license may last through a renewal whose own event has not come yet.
SELECT_OTHER_AGREEMENT_IDS = union(
    select(Subscription.agreement_id).where(
        Subscription.id.in_(SUBSCRIPTION_IDS), Subscription.agreement_id.is_not(None)
    ),
    select(Event.agreement_id).where(Event.subscription_id.in_(SUBSCRIPTION_IDS), Event.agreement_id.is_not(None)),
)
SELECT_RENEWALS = select(Event.previous_agreement_id, Event.agreement_id).where(
    Event.previous_agreement_id.is_not(None),
    Event.agreement_id.is_not(None),
    or_(Event.previous_agreement_id.in_(AGREEMENT_IDS), Event.agreement_id.in_(AGREEMENT_IDS)),
)
SELECT_EVENT_LICENSES = (
    select(Event.agreement_id, Event.license_arn)
    .where(Event.agreement_id.in_(AGREEMENT_IDS), Event.license_arn.is_not(None), IS_OURS)
    .distinct()
)
SELECT_LANDING_LICENSES = select(Subscription.agreement_id, Subscription.license_arn).where(
    Subscription.agreement_id.in_(AGREEMENT_IDS), Subscription.license_arn.is_not(None)
)
SELECT_PARTIES: CompoundSelect[Any] = union(
    select(Event.product_code, Event.customer_aws_account_id).where(Event.agreement_id.in_(AGREEMENT_IDS), IS_OURS),
    select(Subscription.product_code, Subscription.customer_aws_account_id).where(
        Subscription.id.in_(SUBSCRIPTION_IDS)
    ),
)


def lock_chain(
    connection: Connection,
    agreement_ids: Iterable[AgreementId | None],
    purchase_key: str | None = None,
    account_id: str | None = None,
) -> AgreementChain:
    """Return the chain that these agreements, and a license, are in, and lock it with its AWS account.

    Until the caller commits, no other transaction matches anything of the chain or of the account.
    """
    if account_id:
        connection.execute(LOCK_AGREEMENT, {"id": account_id[:MAX_ID_LENGTH]})
    locked_ids: set[AgreementId] = set()
    found_ids = {agreement_id for agreement_id in agreement_ids if agreement_id}
    while True:
        for agreement_id in sorted(found_ids - locked_ids):
            connection.execute(LOCK_AGREEMENT, {"id": agreement_id})
        locked_ids |= found_ids
        renewals, licenses = _find_renewals(connection, locked_ids), _find_licenses(connection, locked_ids)
        keys = {own_id for license_arns in licenses.values() for own_id in license_arns}
        if purchase_key:
            keys.add(purchase_key)
        subscription_ids = _find_subscription_ids(connection, locked_ids, keys)
        found_ids = {agreement_id for renewal in renewals for agreement_id in renewal}
        found_ids |= _find_other_agreement_ids(connection, subscription_ids)
        if found_ids <= locked_ids:
            is_one_purchase = not _is_forked(renewals, licenses) and _has_one_party(
                connection, locked_ids, subscription_ids
            )
            sorted_ids = _sort_by_renewal(locked_ids, renewals)
            return AgreementChain(sorted_ids, licenses, frozenset(subscription_ids), is_one_purchase)


def _find_subscription_ids(
    connection: Connection, agreement_ids: set[AgreementId], purchase_keys: Collection[str]
) -> set[UUID]:
    if not agreement_ids and not purchase_keys:
        return set()
    names = {"agreement_ids": list(agreement_ids), "purchase_keys": list(purchase_keys)}
    return set(connection.execute(SELECT_SUBSCRIPTION_IDS, names).scalars())


def _find_other_agreement_ids(connection: Connection, subscription_ids: set[UUID]) -> set[AgreementId]:
    if not subscription_ids:
        return set()
    ids = connection.execute(SELECT_OTHER_AGREEMENT_IDS, {"subscription_ids": list(subscription_ids)})
    return {str(agreement_id) for agreement_id in ids.scalars()}


def _find_renewals(connection: Connection, agreement_ids: set[AgreementId]) -> set[Renewal]:
    rows = connection.execute(SELECT_RENEWALS, {"agreement_ids": list(agreement_ids)})
    return {Renewal(str(before), str(after)) for before, after in rows}


def _find_licenses(connection: Connection, agreement_ids: set[AgreementId]) -> Mapping[AgreementId, LicenseArnsById]:
    licenses: dict[AgreementId, dict[str, str]] = defaultdict(dict)
    # Landings come last: ResolveCustomer's spelling of the ARN is the one that other AWS calls take.
    for statement in (SELECT_EVENT_LICENSES, SELECT_LANDING_LICENSES):
        for agreement_id, arn in connection.execute(statement, {"agreement_ids": list(agreement_ids)}):
            licenses[agreement_id][license_id(arn)] = arn
    return licenses


def _sort_by_renewal(agreement_ids: set[AgreementId], renewals: set[Renewal]) -> tuple[AgreementId, ...]:
    depth = dict.fromkeys(agreement_ids, 0)
    # One pass for each agreement is enough, and ends the search where agreements renew each other in a ring.
    for _ in agreement_ids:
        for before, after in renewals:
            depth[after] = max(depth[after], depth[before] + 1)
    return tuple(sorted(agreement_ids, key=lambda agreement_id: (depth[agreement_id], agreement_id)))


def _is_forked(renewals: set[Renewal], licenses: Mapping[AgreementId, LicenseArnsById]) -> bool:
    """Return whether one agreement has two licenses, or two agreements with different licenses renew the same one."""
    renewed_licenses: dict[AgreementId, set[str]] = defaultdict(set)
    for before, after in renewals:
        renewed_licenses[before].update(licenses.get(after, {}))
    return any(len(license_ids) > 1 for license_ids in (*licenses.values(), *renewed_licenses.values()))


def _has_one_party(connection: Connection, agreement_ids: set[AgreementId], subscription_ids: set[UUID]) -> bool:
    names = {"agreement_ids": list(agreement_ids), "subscription_ids": list(subscription_ids)}
    parties = connection.execute(SELECT_PARTIES, names).all()
    return all(len({name for name in column if name}) <= 1 for column in zip(*parties, strict=True))
