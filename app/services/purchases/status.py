"""A subscription's life: what each notification makes of it, as one table.

A status is never stored and then guarded: it is what all known notifications, in the order of their own times, make of
a pending subscription. So neither delay nor doubling nor the order of their coming can change it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.services.purchases.aws_event import EARLIEST_TIME, AwsEvent
from app.services.purchases.keys import license_id

FINAL_STATUSES = ("ended", "failed")
ALL_STATUSES = ("pending", "active", "ending", "ended", "failed")

# The notification, by EventBridge's detail-type without its party or by SNS's action, and what it makes of which
# status; what is not here stays as it is. Of two in the same second, the one further down came later.
TRANSITIONS: Mapping[str, Mapping[str, str]] = {
    "Purchase Agreement Created": {},
    "Purchase Agreement Amended": {},
    "License Updated": dict.fromkeys(ALL_STATUSES, "active"),
    "subscribe-success": dict.fromkeys(ALL_STATUSES, "active"),
    "entitlement-updated": {},  # what GetEntitlements says makes of it: see _by_entitlements
    "subscribe-fail": dict.fromkeys(ALL_STATUSES, "failed"),
    # The last hour: access goes on, and the last usage is sent. One that never began, as where a payment failed, has no
    # license, whose end would be told.
    "Purchase Agreement Ended": {"pending": "failed", "active": "ending"},
    "unsubscribe-pending": dict.fromkeys(("pending", "active"), "ending"),
    "License Deprovisioned": dict.fromkeys(ALL_STATUSES, "ended"),
    "unsubscribe-success": dict.fromkeys(ALL_STATUSES, "ended"),
}
TIE_BREAK_ORDER = {name: place for place, name in enumerate(TRANSITIONS)}
ENDING_EVENTS = {"Purchase Agreement Ended", "License Deprovisioned"}
# With these an agreement ends because another has taken its place, whether or not that other is known already.
SUPERSEDED_STATUSES = {"RENEWED", "REPLACED", "SUPERSEDED"}


@dataclass(frozen=True)
class SubscriptionState:
    """Where a subscription stands. `since` is None while no notification has changed it.

    `agreement_id` is that of its present license, as events tell; without any, the one that is known.
    """

    status: str = "pending"
    status_since: datetime | None = None
    free_trial: bool | None = None
    ends_at: datetime | None = None
    agreement_id: str | None = None


def derive_state(
    events: Iterable[AwsEvent],
    agreement_id: str | None = None,
    *,
    current_license_id: str | None = None,
    is_contract: bool = False,
    has_entitlements: bool | None = None,
) -> SubscriptionState:
    """Return what the notifications about one subscription, in whatever order, make of it and of its agreement's id.

    The agreement is given as it is known so far, the license by its id. A contract of an old listing is told only that
    its entitlements changed: `entitled` is whether it has some that have not expired; None while AWS has not been asked
    since the latest change.
    """
    in_order = sorted(
        events,
        key=lambda notice: (notice.happened_at, TIE_BREAK_ORDER.get(notice.kind_without_party, -1), notice.aws_id),
    )
    followed, void = _superseded_and_void(in_order)
    changes = (
        [notice for notice in in_order if notice.kind_without_party == "entitlement-updated"] if is_contract else []
    )
    status, since = "pending", None
    for notice in in_order:
        becomes = (
            _transitions_by_entitlements(notice is changes[-1], has_entitlements)
            if notice in changes
            else _transitions_for(notice, followed | void)
        )
        if becomes.get(status, status) != status:
            status, since = becomes[status], notice.happened_at
    free_trials = [notice.free_trial for notice in in_order if notice.free_trial is not None]
    lasting = [notice for notice in in_order if notice.agreement_id not in followed | void]
    ends = [end for notice in lasting if (end := _agreement_end(notice))]
    # What was told of an earlier license says nothing of the present one's agreement.
    own = [notice for notice in lasting if notice.license_arn]
    licensed = [told.agreement_id for told in own if current_license_id in {None, license_id(str(told.license_arn))}]
    return SubscriptionState(
        status,
        since,
        free_trial=free_trials[-1] if free_trials else None,
        ends_at=ends[-1] if ends else None,
        agreement_id=licensed[-1] if licensed else agreement_id,
    )


def _superseded_and_void(events: list[AwsEvent]) -> tuple[set[str | None], set[str | None]]:
    """Return the agreements that another has renewed or replaced, and those that were to renew one and never began.

    A renewal that ends before its first day leaves the agreement before it as it is.
    """
    renewals = [notice for notice in events if notice.previous_agreement_id]
    starts = {notice.agreement_id: notice.starts_at for notice in renewals if notice.starts_at}
    licensed = {notice.agreement_id for notice in events if notice.license_arn}
    void = {
        notice.agreement_id
        for notice in events
        if notice.kind_without_party == "Purchase Agreement Ended"
        and notice.agreement_id not in licensed
        and notice.happened_at < starts.get(notice.agreement_id, EARLIEST_TIME)
    }
    edges = {(notice.previous_agreement_id, notice.agreement_id) for notice in renewals}
    # Of two that are said to follow each other, neither does.
    return {before for before, after in edges if after not in void and (after, before) not in edges}, void


def _agreement_end(event: AwsEvent) -> datetime | None:
    # One that was cancelled does not last until the day that was agreed.
    if event.kind_without_party == "Purchase Agreement Ended" and event.agreement_status not in SUPERSEDED_STATUSES:
        return min(event.ends_at or event.happened_at, event.happened_at)
    return event.ends_at


def _transitions_for(event: AwsEvent, superseded: set[str | None]) -> Mapping[str, str]:
    # A renewal ends the agreement before it, and with that maybe its license: no ending for the customer.
    if event.kind_without_party in ENDING_EVENTS and (
        event.agreement_id in superseded or event.agreement_status in SUPERSEDED_STATUSES
    ):
        return {}
    return TRANSITIONS.get(event.kind_without_party, {})


def _transitions_by_entitlements(is_latest: bool, has_entitlements: bool | None) -> Mapping[str, str]:
    # Of an earlier change AWS cannot be asked any more; since another followed, it was not the contract's end.
    if is_latest and has_entitlements is None:
        return {}
    return dict.fromkeys(ALL_STATUSES, "ended" if is_latest and not has_entitlements else "active")
