"""Agreement chains: the agreements that renew or replace one another, and the licenses reported under each.

AWS names a purchase by its license, its agreement, or both, and a renewal changes either. A chain collects all those
names. A worked example, agreement A0 with license l-1, renewed by A1 with license l-2:

    License Updated             agreement A0, license l-1      l-1 is reported under A0
    Purchase Agreement Created  agreement A1, previous A0      A1 renews A0
    License Updated             agreement A1, license l-2      l-2 is reported under A1

`lock_chain` starts at any of the names, and adds the agreements next to those it has, and the other agreements of
their subscriptions, until it finds nothing new. The chain of A1 is:

    agreement_ids     A0, A1: the earliest first
    licenses          l-1 of A0, l-2 of A1: the last is the current license
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
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, CompoundSelect, Connection, String, Uuid, bindparam, func, select, text, union

from app.aws.customer import license_id
from app.models import EarlierKey, Event, Subscription


@dataclass(frozen=True)
class AgreementChain:
    """Agreements, the earliest first, their licenses as ARN and agreement, and the subscriptions with any of them."""

    agreement_ids: tuple[str, ...]
    licenses: list[tuple[str, str]]
    subscription_ids: set[UUID]
    is_unambiguous: bool


def select_ids_by_agreement(agreement_ids: Collection[str] | BindParameter[Any]) -> CompoundSelect[tuple[UUID]]:
    """Return the query for the subscriptions whose landing or events name these agreements."""
    attached = select(Event.subscription_id).where(Event.subscription_id.is_not(None))
    return union(
        select(Subscription.id).where(Subscription.agreement_id.in_(agreement_ids)),
        attached.where(Event.agreement_id.in_(agreement_ids)),
        attached.where(Event.previous_agreement_id.in_(agreement_ids)),
    )


LOCK_AGREEMENT = text("INSERT INTO agreements (id) VALUES (:id) ON CONFLICT (id) DO UPDATE SET id = excluded.id")
AGREEMENT_IDS = bindparam("agreement_ids", expanding=True, type_=String)
SUBSCRIPTION_IDS = bindparam("subscription_ids", expanding=True, type_=Uuid)
PURCHASE_KEYS = bindparam("purchase_keys", expanding=True, type_=String)
IS_OURS = Event.outcome != "not_ours"
# Also the subscriptions that had one of the keys earlier.
SELECT_IDS_BY_KEY: CompoundSelect[tuple[UUID]] = union(
    select(Subscription.id).where(Subscription.purchase_key.in_(PURCHASE_KEYS)),
    select(EarlierKey.subscription_id).where(EarlierKey.purchase_key.in_(PURCHASE_KEYS)),
)
SELECT_SUBSCRIPTION_IDS: CompoundSelect[tuple[UUID]] = union(
    *select_ids_by_agreement(AGREEMENT_IDS).selects, *SELECT_IDS_BY_KEY.selects
)
# One license may last through a renewal whose own event has not come yet.
SELECT_OTHER_AGREEMENT_IDS = union(
    select(Subscription.agreement_id).where(Subscription.id.in_(SUBSCRIPTION_IDS)),
    select(Event.agreement_id).where(Event.subscription_id.in_(SUBSCRIPTION_IDS)),
)
SELECT_RENEWALS = select(Event.previous_agreement_id, Event.agreement_id).where(
    Event.previous_agreement_id.is_not(None),
    Event.agreement_id.is_not(None),
    Event.previous_agreement_id.in_(AGREEMENT_IDS) | Event.agreement_id.in_(AGREEMENT_IDS),
)
SELECT_EVENT_LICENSES = (
    select(Event.agreement_id, Event.license_arn)
    .distinct()
    .where(Event.agreement_id.in_(AGREEMENT_IDS), Event.license_arn.is_not(None), IS_OURS)
)
SELECT_LANDING_LICENSES = select(Subscription.agreement_id, Subscription.license_arn).where(
    Subscription.agreement_id.in_(AGREEMENT_IDS), Subscription.license_arn.is_not(None)
)
PARTIES = union(
    select(Event.product_code, Event.customer_aws_account_id).where(Event.agreement_id.in_(AGREEMENT_IDS), IS_OURS),
    select(Subscription.product_code, Subscription.customer_aws_account_id).where(
        Subscription.id.in_(SUBSCRIPTION_IDS)
    ),
).subquery()
COUNT_PARTIES = select(*(func.count(column.distinct()) for column in PARTIES.columns))


def lock_chain(
    connection: Connection, agreement_ids: Iterable[str | None], key: str | None = None, account_id: str | None = None
) -> AgreementChain:
    """Return the chain that these agreements, and a purchase key, are in, and lock it with its AWS account.

    Until the caller commits, no other transaction matches anything of the chain or of the account.
    """
    if account_id:
        # As long as the column `agreements.id`.
        connection.execute(LOCK_AGREEMENT, {"id": account_id[:64]})
    locked_ids, found_ids = set[str](), set(filter(None, agreement_ids))
    while True:
        for agreement_id in sorted(found_ids - locked_ids):
            connection.execute(LOCK_AGREEMENT, {"id": agreement_id})
        locked_ids |= found_ids
        names = {"agreement_ids": list(locked_ids)}
        renewals = {(str(before), str(after)) for before, after in connection.execute(SELECT_RENEWALS, names)}
        licenses = _find_licenses(connection, locked_ids)
        keys = set().union(*licenses.values(), filter(None, [key]))
        subscription_ids = set(connection.scalars(SELECT_SUBSCRIPTION_IDS, {**names, "purchase_keys": list(keys)}))
        found_ids = set().union(*renewals)
        subscriptions = {"subscription_ids": list(subscription_ids)}
        if subscription_ids:
            found_ids.update(filter(None, connection.scalars(SELECT_OTHER_AGREEMENT_IDS, subscriptions)))
        if found_ids <= locked_ids:
            break
    sorted_ids = _sort_by_renewal(locked_ids, renewals)
    sorted_licenses = [(arn, agreement_id) for agreement_id in sorted_ids for arn in licenses[agreement_id].values()]
    has_one_party = max(connection.execute(COUNT_PARTIES, names | subscriptions).one()) <= 1
    is_one_purchase = has_one_party and not _is_forked(renewals, licenses)
    return AgreementChain(sorted_ids, sorted_licenses, subscription_ids, is_one_purchase)


def _find_licenses(connection: Connection, agreement_ids: set[str]) -> Mapping[str, Mapping[str, str]]:
    """Return the licenses' ARNs by agreement and license id."""
    licenses: dict[str, dict[str, str]] = {agreement_id: {} for agreement_id in agreement_ids}
    # Landings come last: ResolveCustomer's spelling of the ARN is the one that other AWS calls take.
    for statement in (SELECT_EVENT_LICENSES, SELECT_LANDING_LICENSES):
        for agreement_id, arn in connection.execute(statement, {"agreement_ids": list(agreement_ids)}):
            licenses[agreement_id][license_id(arn)] = arn
    return licenses


def _sort_by_renewal(agreement_ids: set[str], renewals: set[tuple[str, str]]) -> tuple[str, ...]:
    depth = dict.fromkeys(agreement_ids, 0)
    # One pass for each agreement is enough, and ends the search where agreements renew each other in a ring.
    for _ in agreement_ids:
        for before, after in renewals:
            depth[after] = max(depth[after], depth[before] + 1)
    return tuple(sorted(agreement_ids, key=lambda agreement_id: (depth[agreement_id], agreement_id)))


def _is_forked(renewals: set[tuple[str, str]], licenses: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether one agreement has two licenses, or two agreements with different licenses renew the same one."""
    renewed_licenses: dict[str, set[str]] = defaultdict(set)
    for before, after in renewals:
        renewed_licenses[before].update(licenses.get(after, {}))
    return any(len(license_ids) > 1 for license_ids in (*licenses.values(), *renewed_licenses.values()))
