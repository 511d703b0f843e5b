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
first: two workers that each locked one of its agreements, and then found the other's, would deadlock. SQLite needs no
such locks: it has one writing transaction at a time.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, CompoundSelect, Connection, Row, String, Uuid, bindparam, or_, select, text, union

from app.aws.customer import license_id
from app.models import EarlierKey, Event, Subscription

Renewals = AbstractSet[tuple[str, str]]
# The licenses' ARNs by agreement and license id.
Licenses = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class AgreementChain:
    """Agreements, the earliest first, their licenses as ARN and agreement, and the subscriptions with any of them.

    `subscriptions` are rows by id, with `CHAIN_COLUMNS` as they were when the chain was locked.
    """

    agreement_ids: tuple[str, ...]
    licenses: list[tuple[str, str]]
    subscriptions: Mapping[UUID, Row[Any]]
    is_unambiguous: bool
    has_waiting_events: bool

    @cached_property
    def license_ids(self) -> set[str]:
        """The purchase keys that its subscription has or had."""
        return {license_id(arn) for arn, _ in self.licenses}

    @property
    def current_license_id(self) -> str | None:
        """The last license's id; None where no license is known."""
        return license_id(self.licenses[-1][0]) if self.licenses else None


def select_ids_by_agreement(agreement_ids: Collection[str] | BindParameter[Any]) -> CompoundSelect[tuple[UUID]]:
    """Return the query for the subscriptions whose landing or events name these agreements."""
    attached = select(Event.subscription_id).where(Event.subscription_id.is_not(None))
    return union(
        select(Subscription.id).where(Subscription.agreement_id.in_(agreement_ids)),
        attached.where(Event.agreement_id.in_(agreement_ids)),
        attached.where(Event.previous_agreement_id.in_(agreement_ids)),
    )


LOCK_IN_ORDER = text(
    "INSERT INTO agreements (id) SELECT unnest(CAST(:ids AS varchar[])) ON CONFLICT (id) DO UPDATE SET id = excluded.id"
)
AGREEMENT_IDS = bindparam("agreement_ids", expanding=True, type_=String)
SUBSCRIPTION_IDS = bindparam("subscription_ids", expanding=True, type_=Uuid)
PURCHASE_KEYS = bindparam("purchase_keys", expanding=True, type_=String)
SELECT_IDS_BY_EARLIER_KEY = select(EarlierKey.subscription_id).where(EarlierKey.purchase_key.in_(PURCHASE_KEYS))
SELECT_IDS_BY_KEY: CompoundSelect[tuple[UUID]] = union(
    select(Subscription.id).where(Subscription.purchase_key.in_(PURCHASE_KEYS)), SELECT_IDS_BY_EARLIER_KEY
)
PARTY_COLUMNS = ("product_code", "customer_aws_account_id")
CHAIN_COLUMNS = (
    *("id", "purchase_key", *PARTY_COLUMNS, "customer_identifier", "license_arn", "agreement_id", "review_at"),
)
# Each subscription once for each of its events, with the agreement that the event names: one license may last through a
# renewal whose own event has not come yet.
SELECT_SUBSCRIPTIONS = (
    select(*(Subscription.__table__.c[name] for name in CHAIN_COLUMNS), Event.agreement_id.label("event_agreement_id"))
    .outerjoin(Event, Event.subscription_id == Subscription.id)
    .where(
        or_(
            Subscription.id.in_(SUBSCRIPTION_IDS),
            Subscription.agreement_id.in_(AGREEMENT_IDS),
            Subscription.purchase_key.in_(PURCHASE_KEYS),
        )
    )
)
EVENT_COLUMNS = ("agreement_id", "previous_agreement_id", "license_arn", *PARTY_COLUMNS, "subscription_id", "outcome")
SELECT_EVENTS = select(*(Event.__table__.c[name] for name in EVENT_COLUMNS)).where(
    or_(Event.agreement_id.in_(AGREEMENT_IDS), Event.previous_agreement_id.in_(AGREEMENT_IDS))
)


@dataclass(frozen=True)
class _StoredNames:
    """What is stored about some agreements and purchase keys: events that name them, and subscriptions."""

    agreement_ids: set[str]
    purchase_keys: set[str]
    events: Sequence[Row[Any]]
    subscriptions: Sequence[Row[Any]] = ()

    @property
    def is_whole_chain(self) -> bool:
        return self.next_ids <= self.agreement_ids and self.license_ids <= self.purchase_keys

    @cached_property
    def renewals(self) -> Renewals:
        pairs = ((event.previous_agreement_id, event.agreement_id) for event in self.events)
        return {(before, after) for before, after in pairs if before and after}

    @cached_property
    def licenses(self) -> Licenses:
        licenses: dict[str, dict[str, str]] = {agreement_id: {} for agreement_id in self.agreement_ids}
        # Landings come last: ResolveCustomer's spelling of the ARN is the one that other AWS calls take.
        for row in (*self._own_events, *self.subscriptions):
            if row.license_arn and row.agreement_id in licenses:
                licenses[row.agreement_id][license_id(row.license_arn)] = row.license_arn
        return licenses

    @property
    def license_ids(self) -> set[str]:
        return set().union(*self.licenses.values())

    @property
    def next_ids(self) -> set[str]:
        """The agreements next to these, and those of their subscriptions."""
        of_subscriptions = ((row.agreement_id, row.event_agreement_id) for row in self.subscriptions)
        return set(filter(None, chain.from_iterable((*self.renewals, *of_subscriptions))))

    @property
    def has_one_party(self) -> bool:
        rows = (*self._own_events, *self.subscriptions)
        return all(len({getattr(row, name) for row in rows} - {None}) <= 1 for name in PARTY_COLUMNS)

    @cached_property
    def _own_events(self) -> list[Row[Any]]:
        """The events of these agreements. Others name one of them as the agreement before."""
        is_own = self.agreement_ids.__contains__
        return [event for event in self.events if event.outcome != "not_ours" and is_own(event.agreement_id)]


def lock(connection: Connection, account_ids: Iterable[str | None], agreement_ids: Iterable[str | None]) -> set[str]:
    """Lock AWS accounts, then agreements, each in the order of their ids, until the caller commits; return the ids."""
    # As long as the column `agreements.id`.
    accounts = sorted({account_id[:64] for account_id in account_ids if account_id})
    # PostgreSQL refuses to update one row twice: an odd event may name its account as its agreement.
    ids = list(dict.fromkeys([*accounts, *sorted(set(filter(None, agreement_ids)))]))
    if ids and connection.dialect.name == "postgresql":
        connection.execute(LOCK_IN_ORDER, {"ids": ids})
    return set(ids)


def lock_chain(
    connection: Connection,
    agreement_ids: Iterable[str | None],
    key: str | None = None,
    account_id: str | None = None,
    locked_ids: AbstractSet[str] = frozenset(),
) -> AgreementChain:
    """Return the chain that these agreements, and a purchase key, are in, and lock it with its AWS account.

    Until the caller commits, no other transaction matches anything of the chain or of the account. `locked_ids` are
    accounts and agreements that the caller has locked.
    """
    chain_ids, keys = set(filter(None, agreement_ids)), set(filter(None, [key]))
    lock(connection, {account_id} - locked_ids, chain_ids - locked_ids)
    stored = _read(connection, chain_ids, keys)
    while not stored.is_whole_chain:
        lock(connection, (), stored.next_ids - chain_ids - locked_ids)
        chain_ids, keys = chain_ids | stored.next_ids, keys | stored.license_ids
        stored = _read(connection, chain_ids, keys)
    sorted_ids = _sort_by_renewal(chain_ids, stored.renewals)
    return AgreementChain(
        sorted_ids,
        [(arn, agreement_id) for agreement_id in sorted_ids for arn in stored.licenses[agreement_id].values()],
        {row.id: row for row in stored.subscriptions},
        is_unambiguous=stored.has_one_party and not _is_forked(stored.renewals, stored.licenses),
        has_waiting_events=any(event.outcome == "waiting" for event in stored.events),
    )


def _read(connection: Connection, agreement_ids: set[str], keys: set[str]) -> _StoredNames:
    """Return what is stored about the agreements, these purchase keys, and those of the licenses that events name."""
    names: dict[str, list[Any]] = {"agreement_ids": list(agreement_ids)}
    events = connection.execute(SELECT_EVENTS, names).all()
    keys = keys | _StoredNames(agreement_ids, keys, events).license_ids
    ids = {event.subscription_id for event in events} - {None}
    names |= {"subscription_ids": list(ids), "purchase_keys": list(keys)}
    subscriptions = connection.execute(SELECT_SUBSCRIPTIONS, names).all()
    # A key is one subscription's present key or its earlier one, never both.
    if other_keys := keys - {subscription.purchase_key for subscription in subscriptions}:
        earlier = connection.scalars(SELECT_IDS_BY_EARLIER_KEY, {"purchase_keys": list(other_keys)}).all()
        if not {*earlier} <= {subscription.id for subscription in subscriptions}:
            names["subscription_ids"] = list(ids.union(earlier))
            subscriptions = connection.execute(SELECT_SUBSCRIPTIONS, names).all()
    return _StoredNames(agreement_ids, keys, events, subscriptions)


def _sort_by_renewal(agreement_ids: set[str], renewals: Renewals) -> tuple[str, ...]:
    depth = dict.fromkeys(agreement_ids, 0)
    # One pass for each agreement is enough, and ends the search where agreements renew each other in a ring.
    for _ in agreement_ids:
        for before, after in renewals:
            depth[after] = max(depth[after], depth[before] + 1)
    return tuple(sorted(agreement_ids, key=lambda agreement_id: (depth[agreement_id], agreement_id)))


def _is_forked(renewals: Renewals, licenses: Licenses) -> bool:
    """Return whether one agreement has two licenses, or two agreements with different licenses renew the same one."""
    renewed_licenses: dict[str, set[str]] = defaultdict(set)
    for before, after in renewals:
        renewed_licenses[before].update(licenses.get(after, {}))
    return any(len(license_ids) > 1 for license_ids in (*licenses.values(), *renewed_licenses.values()))
