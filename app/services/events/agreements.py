"""Chains: the agreements that renewed or replaced one another, and the licenses that were told of under each."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import CompoundSelect, Connection, or_, select, text, union

from app.models import EarlierKey, Event, Subscription
from app.services.purchases.keys import license_id

# Whoever joins what belongs to an agreement holds its row, so that nobody looks for what is just being stored.
LOCK_AGREEMENT = text("INSERT INTO agreements (id) VALUES (:id) ON CONFLICT (id) DO UPDATE SET id = excluded.id")

# As long as the column of the agreements' ids.
MAX_ID_LENGTH = 64


@dataclass(frozen=True)
class AgreementChain:
    """Agreements, the earliest first, the ARNs of each one's licenses by the license's id, and whose they all are.

    It is clear where all of it is one purchase: of one account and one product, no agreement in it about two licenses,
    and none renewed by two of different licenses.
    """

    agreement_ids: tuple[str, ...]
    licenses: Mapping[str, Mapping[str, str]]
    subscription_ids: frozenset[UUID]
    is_unambiguous: bool

    @property
    def license_ids(self) -> set[str]:
        """The ids of all its licenses."""
        return {license_id for licenses in self.licenses.values() for license_id in licenses}

    @property
    def current_license(self) -> tuple[str, str, str] | None:
        """The latest agreement that is known to have a license, with that license's id and ARN."""
        for agreement_id in reversed(self.agreement_ids):
            for own_id, arn in self.licenses.get(agreement_id, {}).items():
                return agreement_id, own_id, arn
        return None


def lock_chain(
    connection: Connection,
    agreement_ids: Iterable[str | None],
    purchase_key: str | None = None,
    account_id: str | None = None,
) -> AgreementChain:
    """Return the chain that these agreements, and a license, are in.

    Nobody else joins what belongs to it, or to its AWS account, before the caller commits.
    """
    if account_id:
        # Agreements turn up in any order: two who each hold one that the other finds next would be a deadlock.
        connection.execute(LOCK_AGREEMENT, {"id": account_id[:MAX_ID_LENGTH]})
    held: set[str] = set()
    found = {agreement_id for agreement_id in agreement_ids if agreement_id}
    while True:
        for agreement_id in sorted(found - held):
            connection.execute(LOCK_AGREEMENT, {"id": agreement_id})
        held |= found
        edges, licenses = _find_renewal_edges(connection, held), _find_licenses(connection, held)
        keys = {key for known in ([purchase_key] if purchase_key else (), *licenses.values()) for key in known}
        subscriptions = _find_subscription_ids(connection, held, keys)
        found = {agreement_id for edge in edges for agreement_id in edge} | _find_agreement_ids(
            connection, subscriptions
        )
        if found <= held:
            is_clear = not _is_forked(edges, licenses) and _has_one_party(connection, held, subscriptions)
            return AgreementChain(_sort_by_renewal(held, edges), licenses, frozenset(subscriptions), is_clear)


def select_ids_by_agreement(agreement_ids: Collection[str]) -> CompoundSelect[tuple[UUID]]:
    """Return the question which subscriptions' landings, or events, told of these agreements."""
    told = select(Event.subscription_id).where(Event.subscription_id.is_not(None))
    return union(
        select(Subscription.id).where(Subscription.agreement_id.in_(agreement_ids)),
        told.where(Event.agreement_id.in_(agreement_ids)),
        told.where(Event.previous_agreement_id.in_(agreement_ids)),
    )


def select_ids_by_key(purchase_keys: Collection[str]) -> CompoundSelect[tuple[UUID]]:
    """Return the question which subscriptions have, or had, these purchase keys."""
    return union(
        select(Subscription.id).where(Subscription.purchase_key.in_(purchase_keys)),
        select(EarlierKey.subscription_id).where(EarlierKey.purchase_key.in_(purchase_keys)),
    )


def _find_subscription_ids(connection: Connection, agreement_ids: set[str], purchase_keys: set[str]) -> set[UUID]:
    known: CompoundSelect[tuple[UUID]] = union(
        *select_ids_by_agreement(agreement_ids).selects, *select_ids_by_key(purchase_keys).selects
    )
    return set(connection.execute(known).scalars()) if agreement_ids or purchase_keys else set()


def _find_agreement_ids(connection: Connection, subscription_ids: set[UUID]) -> set[str]:
    """Return the other agreements of subscriptions: they may have the same license, and no word yet of a renewal."""
    landed = select(Subscription.agreement_id).where(
        Subscription.id.in_(subscription_ids), Subscription.agreement_id.is_not(None)
    )
    told = select(Event.agreement_id).where(
        Event.subscription_id.in_(subscription_ids), Event.agreement_id.is_not(None)
    )
    return {str(found) for found in connection.execute(landed.union(told)).scalars()} if subscription_ids else set()


def _find_renewal_edges(connection: Connection, agreement_ids: set[str]) -> set[tuple[str, str]]:
    edge = select(Event.previous_agreement_id, Event.agreement_id).where(
        Event.previous_agreement_id.is_not(None), Event.agreement_id.is_not(None)
    )
    touching = or_(Event.previous_agreement_id.in_(agreement_ids), Event.agreement_id.in_(agreement_ids))
    return {(str(before), str(after)) for before, after in connection.execute(edge.where(touching))}


def _sort_by_renewal(agreement_ids: set[str], edges: set[tuple[str, str]]) -> tuple[str, ...]:
    depth = dict.fromkeys(agreement_ids, 0)
    # So often at the most can one be moved behind another; agreements that follow each other in a ring end there, too.
    for _ in agreement_ids:
        for before, after in edges:
            depth[after] = max(depth[after], depth[before] + 1)
    return tuple(sorted(agreement_ids, key=lambda agreement_id: (depth[agreement_id], agreement_id)))


def _find_licenses(connection: Connection, agreement_ids: set[str]) -> Mapping[str, Mapping[str, str]]:
    told = select(Event.agreement_id, Event.license_arn).where(
        Event.agreement_id.in_(agreement_ids), Event.license_arn.is_not(None), Event.outcome != "not_ours"
    )
    landed = select(Subscription.agreement_id, Subscription.license_arn).where(
        Subscription.agreement_id.in_(agreement_ids), Subscription.license_arn.is_not(None)
    )
    licenses: dict[str, dict[str, str]] = defaultdict(dict)
    # What a landing was told by AWS itself comes last: that spelling of the ARN stands.
    for statement in (told.distinct(), landed):
        for agreement_id, arn in connection.execute(statement):
            licenses[agreement_id][license_id(arn)] = arn
    return licenses


def _is_forked(edges: set[tuple[str, str]], licenses: Mapping[str, Mapping[str, str]]) -> bool:
    after: dict[str, set[str]] = defaultdict(set)
    for before, renewed in edges:
        after[before].update(licenses.get(renewed, {}))
    return any(len(known) > 1 for known in (*licenses.values(), *after.values()))


def _has_one_party(connection: Connection, agreement_ids: set[str], subscription_ids: set[UUID]) -> bool:
    """Return whether one account bought one product: nothing of two customers is ever put together."""
    told = select(Event.product_code, Event.customer_aws_account_id).where(
        Event.agreement_id.in_(agreement_ids), Event.outcome != "not_ours"
    )
    landed = select(Subscription.product_code, Subscription.customer_aws_account_id).where(
        Subscription.id.in_(subscription_ids)
    )
    parties = connection.execute(told.union(landed)).all()
    return all(len({name for name in names if name}) <= 1 for names in zip(*parties, strict=True))
