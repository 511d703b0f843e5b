"""A subscription's status: what its events make of it, as one table, and where it is written.

No status is stored and then changed event by event. Each time, all events of the subscription are sorted by AWS's own
times and folded, from `pending` on, through `TRANSITIONS`. So a late, doubled or reordered event cannot change the
result.

A worked example, license l-1 bought under agreement A0, which A1 renews:

    time   event                        agreement             status   because
    12:00  Purchase Agreement Created   A0                    pending  an agreement alone gives no access
    12:01  License Updated              A0, license l-1       active   (since 12:01)
    12:02  Purchase Agreement Created   A1, previous A0       active
    12:03  Purchase Agreement Ended     A0, EXPIRED           active   A1 supersedes A0: the customer has not left
    12:04  License Updated              A1, license l-1       active   (still since 12:01)
    12:05  Purchase Agreement Ended     A1, CANCELLED         ending   (since 12:05) the last usage may still be sent
    13:05  License Deprovisioned        A1, license l-1       ended    (since 13:05)

Beside the status, the events give the free trial (the last event that names one), the end (`ends_at`, of the last
agreement that is in force) and the agreement of the present license: A1. An agreement is not in force where another
supersedes it, or where it is void: a renewal that ends before its first day leaves the one before it as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, select

from app.aws.customer import license_id
from app.aws.event_kinds import AwsEventKind
from app.aws.fields import EARLIEST_TIME
from app.config import products
from app.models import Event
from app.models.purchases import FINAL_STATUSES, SUBSCRIPTION_STATUSES
from app.services.metering import ends
from app.services.outbox import announce
from app.services.purchases import entitlements, subscriptions
from app.services.purchases.aws_event import AwsEvent, parse_body

T = TypeVar("T")
Transitions = Mapping[str, str]

TO_ACTIVE = dict.fromkeys(SUBSCRIPTION_STATUSES, "active")
ACCESS_STATUSES = {"active", "ending"}
ENDING_STATUSES = {"ending", *FINAL_STATUSES}
TO_ENDED = dict.fromkeys(SUBSCRIPTION_STATUSES, "ended")
# For each kind of event, the new status by the old one; a status that is missing stays. Of two events in the same
# second, the one whose kind is further down in this table counts as the later.
TRANSITIONS: Mapping[str, Transitions] = {
    AwsEventKind.AGREEMENT_CREATED: {},
    AwsEventKind.AGREEMENT_AMENDED: {},
    AwsEventKind.LICENSE_UPDATED: TO_ACTIVE,
    AwsEventKind.SUBSCRIBE_SUCCESS: TO_ACTIVE,
    AwsEventKind.ENTITLEMENT_UPDATED: {},  # of a contract, GetEntitlements decides: see _contract_transitions
    AwsEventKind.SUBSCRIBE_FAIL: dict.fromkeys(SUBSCRIPTION_STATUSES, "failed"),
    # Ending is the last hour: access goes on, and the last usage is sent. An agreement that never began, as where a
    # payment failed, has no license, so no License Deprovisioned would follow.
    AwsEventKind.AGREEMENT_ENDED: {"pending": "failed", "active": "ending"},
    AwsEventKind.UNSUBSCRIBE_PENDING: dict.fromkeys(("pending", "active"), "ending"),
    AwsEventKind.LICENSE_DEPROVISIONED: TO_ENDED,
    AwsEventKind.UNSUBSCRIBE_SUCCESS: TO_ENDED,
}
TIE_BREAK_ORDER = {name: place for place, name in enumerate(TRANSITIONS)}
# An agreement that ends with one of these has been replaced by another, whether or not that one's event has come yet.
SUPERSEDED_STATUSES = {"RENEWED", "REPLACED", "SUPERSEDED"}

SELECT_EVENTS = select(Event.aws_id, Event.kind, Event.happened_at, Event.received_at, Event.body).where(
    Event.subscription_id == bindparam("subscription_id")
)


@dataclass(frozen=True)
class SubscriptionState:
    """A subscription's state, derived from its events. `status_since` is None while no event has changed the status.

    `agreement_id` is the agreement that events last named with the present license; where no event names one, the
    agreement that was passed to `derive_state`.
    """

    status: str = "pending"
    status_since: datetime | None = None
    free_trial: bool | None = None
    ends_at: datetime | None = None
    agreement_id: str | None = None


def recompute(connection: Connection, subscription_id: UUID) -> SubscriptionState | None:
    """Bring the subscription up to date with its events, and announce a new status.

    Returns the state with a new status; None where the status stays, or where the subscription was merged into another.
    """
    # Without the lock, another transaction could commit an event between the reading of events and the writing here.
    parameters = {"subscription_id": subscription_id}
    subscription = connection.execute(subscriptions.LOCK_ROW, parameters).one_or_none()
    if subscription is None:
        return None
    rows = connection.execute(SELECT_EVENTS, parameters).all()
    product = products.current().get(subscription.product_code)
    is_contract = product is not None and product.pricing == "contract"
    state = derive_state(
        (parse_body(row.body, row.aws_id, row.happened_at) for row in rows),
        subscription.agreement_id,
        current_license_id=subscription.purchase_key,
        is_contract=is_contract,
        has_entitlements=_has_entitlements(subscription, rows) if is_contract else None,
        status_before=subscription.status,
    )
    if state != SubscriptionState(**{field.name: getattr(subscription, field.name) for field in fields(state)}):
        subscriptions.update_row(connection, subscription_id, {**asdict(state), **subscriptions.change()})
    if state.status == subscription.status:
        return None
    if state.status in ENDING_STATUSES:
        ends.make_due(connection, subscription_id)
    announce.announce(connection, subscription_id, announce.TYPE_BY_STATUS[state.status], is_touched=True)
    return state


def _has_entitlements(subscription: Row[Any], events: Sequence[Row[Any]]) -> bool | None:
    """Return whether some entitlement has not expired; None where GetEntitlements is older than the last change."""
    read_at = subscription.entitlements_read_at
    changes = (event.received_at for event in events if event.kind == AwsEventKind.ENTITLEMENT_UPDATED)
    if read_at is None or any(read_at < changed_at for changed_at in changes):
        return None
    return any(not entitlement.expired(read_at) for entitlement in entitlements.load_stored(subscription))


def derive_state(
    events: Iterable[AwsEvent],
    agreement_id: str | None = None,
    *,
    current_license_id: str | None = None,
    is_contract: bool = False,
    has_entitlements: bool | None = None,
    status_before: str = "active",
) -> SubscriptionState:
    """Return what the events of one subscription, in any order, make of it.

    `agreement_id` and `current_license_id` are what is stored of it. AWS says of an old listing's contract only that
    its entitlements changed: `has_entitlements` is whether some have not expired, None while GetEntitlements has not
    been called since the latest change. Until then the status stays at `status_before`.
    """
    history = sorted(
        events, key=lambda event: (event.happened_at, TIE_BREAK_ORDER.get(event.kind_without_party, -1), event.aws_id)
    )
    inactive_ids = _superseded_or_void_ids(history)
    in_force = [event for event in history if event.agreement_id not in inactive_ids]
    contract_transitions = _contract_transitions(history, has_entitlements, status_before) if is_contract else {}
    status, since = "pending", None
    for event in history:
        new_status = _transitions(event, inactive_ids, contract_transitions).get(status, status)
        if new_status != status:
            status, since = new_status, event.happened_at
    return SubscriptionState(
        status,
        since,
        free_trial=_last(event.free_trial for event in history),
        ends_at=_last(_agreement_end(event) for event in in_force),
        agreement_id=_last(_licensed_agreement_id(event, current_license_id) for event in in_force) or agreement_id,
    )


def _contract_transitions(
    history: list[AwsEvent], has_entitlements: bool | None, status_before: str
) -> dict[str, Transitions]:
    """Return the transitions of each ENTITLEMENT_UPDATED event of an old listing's contract, by AWS's event id."""
    ids = [event.aws_id for event in history if event.kind_without_party == AwsEventKind.ENTITLEMENT_UPDATED]
    if not ids:
        return {}
    # GetEntitlements answers for the present only. An earlier change was not the contract's end: another followed.
    *earlier_ids, last_id = ids
    transitions: dict[str, Transitions] = dict.fromkeys(earlier_ids, TO_ACTIVE)
    if has_entitlements is not None:
        return transitions | {last_id: TO_ACTIVE if has_entitlements else TO_ENDED}
    if status_before == "ended":
        return transitions | dict.fromkeys(earlier_ids[-1:], TO_ENDED)
    return transitions if status_before in ACCESS_STATUSES else {}


def _superseded_or_void_ids(events: list[AwsEvent]) -> set[str | None]:
    """Return the agreements that another renewed or replaced, and the renewals that ended before their first day."""
    renewals = [event for event in events if event.previous_agreement_id]
    void_ids = _void_ids(events, renewals)
    edges = {(renewal.previous_agreement_id, renewal.agreement_id) for renewal in renewals}
    # Where two agreements each renew the other, neither is superseded: else neither could ever end.
    superseded = {before for before, after in edges if after not in void_ids and (after, before) not in edges}
    return superseded | void_ids


def _void_ids(events: list[AwsEvent], renewals: list[AwsEvent]) -> set[str | None]:
    starts = {renewal.agreement_id: renewal.starts_at for renewal in renewals if renewal.starts_at}
    ends = (event for event in events if event.kind_without_party == AwsEventKind.AGREEMENT_ENDED)
    ended_early = {end.agreement_id for end in ends if end.happened_at < starts.get(end.agreement_id, EARLIEST_TIME)}
    return ended_early - {event.agreement_id for event in events if event.license_arn}


def _transitions(event: AwsEvent, inactive_ids: set[str | None], by_event: Mapping[str, Transitions]) -> Transitions:
    # A renewal ends the agreement before it, and with it maybe the license: the customer goes on.
    if event.kind_without_party in {AwsEventKind.AGREEMENT_ENDED, AwsEventKind.LICENSE_DEPROVISIONED} and (
        event.agreement_id in inactive_ids or event.agreement_status in SUPERSEDED_STATUSES
    ):
        return {}
    return by_event.get(event.aws_id) or TRANSITIONS.get(event.kind_without_party, {})


def _agreement_end(event: AwsEvent) -> datetime | None:
    # An agreement that was cancelled does not last until the day that was agreed.
    if event.kind_without_party == AwsEventKind.AGREEMENT_ENDED and event.agreement_status not in SUPERSEDED_STATUSES:
        return min(event.ends_at or event.happened_at, event.happened_at)
    return event.ends_at


def _licensed_agreement_id(event: AwsEvent, current_license_id: str | None) -> str | None:
    # An event about an earlier license says nothing about the present one's agreement.
    is_current = event.license_arn and current_license_id in {None, license_id(event.license_arn)}
    return event.agreement_id if is_current else None


def _last(values: Iterable[T | None]) -> T | None:
    return next((value for value in reversed(list(values)) if value is not None), None)
