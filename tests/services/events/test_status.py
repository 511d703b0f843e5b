"""The status: what each event makes of a subscription, and what must not count as its end."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from app.aws.event_kinds import DETAIL_TYPES
from app.models.purchases import SUBSCRIPTION_STATUSES
from app.services.events import status as status_service
from app.services.purchases.aws_event import AwsEvent
from tests.support.aws_events import AGREEMENT_ID, eventbridge_event, minutes_after_noon, parse_event, sns_notification

CREATED, AMENDED, ENDED = (f"Purchase Agreement {verb} - Proposer" for verb in ("Created", "Amended", "Ended"))
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"


def events_of(*kinds: str, **overrides: Any) -> list[AwsEvent]:
    """Return events of these kinds, a minute apart."""
    return [
        parse_event(
            eventbridge_event(kind, minutes_after_noon(place), **overrides)
            if " " in kind
            else sns_notification(kind, minutes_after_noon(place))
        )
        for place, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("kinds", "status", "since"),
    [
        ([CREATED], "pending", None),
        ([CREATED, AMENDED], "pending", None),
        ([UPDATED], "active", 0),
        ([CREATED, UPDATED, UPDATED], "active", 1),
        ([UPDATED, ENDED], "ending", 1),
        ([ENDED], "failed", 0),
        ([UPDATED, ENDED, DEPROVISIONED], "ended", 2),
        ([UPDATED, DEPROVISIONED, ENDED], "ended", 1),
        ([UPDATED, DEPROVISIONED, UPDATED], "active", 2),
        (["subscribe-success"], "active", 0),
        (["subscribe-fail"], "failed", 0),
        (["subscribe-success", "subscribe-fail"], "failed", 1),
        (["subscribe-fail", "subscribe-success"], "active", 1),
        (["subscribe-fail", "unsubscribe-pending"], "failed", 0),
        (["subscribe-success", "unsubscribe-pending"], "ending", 1),
        (["subscribe-success", "unsubscribe-pending", "subscribe-success"], "active", 2),
        (["subscribe-success", "unsubscribe-pending", "unsubscribe-success"], "ended", 2),
        (["subscribe-success", "unsubscribe-success", "unsubscribe-pending"], "ended", 1),
        (["subscribe-success", "unsubscribe-success", "subscribe-success"], "active", 2),
        (["subscribe-success", "entitlement-updated"], "active", 0),
        ([UPDATED, "something-new"], "active", 0),
    ],
)
def test_status_follows_event_times_in_any_order(kinds: list[str], status: str, since: int | None) -> None:
    events = events_of(*kinds)

    states = {status_service.derive_state(order) for order in permutations(events)}

    [state] = states
    assert (state.status, state.status_since) == (status, None if since is None else minutes_after_noon(since))


def test_end_counts_as_last_within_one_second() -> None:
    events = [
        parse_event(eventbridge_event(kind, minutes_after_noon(0))) for kind in (DEPROVISIONED, ENDED, UPDATED, CREATED)
    ]

    assert status_service.derive_state(events).status == "ended"


@pytest.mark.parametrize("status", ["EXPIRED", "RENEWED", None])
def test_renewal_does_not_end_the_subscription(status: str | None) -> None:
    renewal = parse_event(eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID))
    events = [*events_of(UPDATED), renewal, *events_of(ENDED, DEPROVISIONED, ENDED, status=status)]

    state = status_service.derive_state(events)

    assert (state.status, state.status_since) == ("active", minutes_after_noon(0))


@pytest.mark.parametrize("status", ["RENEWED", "REPLACED", "SUPERSEDED"])
def test_superseded_agreement_does_not_end_the_subscription(status: str) -> None:
    assert status_service.derive_state(events_of(UPDATED, ENDED, status=status)).status == "active"


def test_renewed_agreement_ends_like_any_other() -> None:
    renewal = [eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID)]
    renewal += [
        eventbridge_event(ENDED, minutes_after_noon(2)),
        eventbridge_event(ENDED, minutes_after_noon(3), agreement="agmt-b"),
    ]

    state = status_service.derive_state([*events_of(UPDATED), *map(parse_event, renewal)])

    assert (state.status, state.status_since) == ("ending", minutes_after_noon(3))


def test_renewal_cancelled_before_its_first_day_changes_nothing() -> None:
    renewal = [
        eventbridge_event(
            CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID, starts="2027-01-01T00:00:00Z"
        )
    ]
    renewal += [eventbridge_event(ENDED, minutes_after_noon(2), agreement="agmt-b", status="CANCELLED")]
    events = [*events_of(UPDATED), *map(parse_event, renewal)]

    over = [
        *events,
        parse_event(eventbridge_event(ENDED, minutes_after_noon(3), status="EXPIRED")),
        parse_event(eventbridge_event(DEPROVISIONED, minutes_after_noon(4))),
    ]

    assert (status_service.derive_state(events).status, status_service.derive_state(events).status_since) == (
        "active",
        minutes_after_noon(0),
    )
    assert (status_service.derive_state(over).status, status_service.derive_state(over).status_since) == (
        "ended",
        minutes_after_noon(4),
    )


def test_agreements_that_renew_each_other_still_end() -> None:
    ring = [eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID)]
    ring += [
        eventbridge_event(CREATED, minutes_after_noon(2), previous="agmt-b"),
        eventbridge_event(DEPROVISIONED, minutes_after_noon(3)),
    ]

    assert status_service.derive_state([*events_of(UPDATED), *map(parse_event, ring)]).status == "ended"


def test_ends_at_is_that_of_the_latest_event() -> None:
    first = parse_event(eventbridge_event(CREATED, minutes_after_noon(0), ends="2027-01-01T00:00:00Z"))
    amended = parse_event(eventbridge_event(AMENDED, minutes_after_noon(1), ends="2028-01-01T00:00:00Z"))

    state = status_service.derive_state([amended, first])

    assert state.ends_at
    assert state.ends_at.year == 2028


def test_cancelled_agreement_ends_when_it_was_cancelled() -> None:
    agreed = parse_event(eventbridge_event(CREATED, minutes_after_noon(0), ends="2027-01-01T00:00:00Z"))
    cancelled = parse_event(eventbridge_event(ENDED, minutes_after_noon(5), status="CANCELLED"))

    assert status_service.derive_state([cancelled, agreed]).ends_at == minutes_after_noon(5)


def test_ends_at_is_not_that_of_a_renewed_agreement() -> None:
    first = parse_event(eventbridge_event(CREATED, minutes_after_noon(0), ends="2027-01-01T00:00:00Z"))
    renewal = parse_event(eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID))

    assert status_service.derive_state([first, renewal]).ends_at is None


def test_license_event_without_agreement_keeps_the_agreement() -> None:
    first, second = events_of(UPDATED, UPDATED)
    unnamed = replace(second, agreement_id=None)

    assert status_service.derive_state([first, unnamed]).agreement_id == AGREEMENT_ID
    assert status_service.derive_state([unnamed], "agmt-stored").agreement_id == "agmt-stored"


def test_latest_free_trial_wins() -> None:
    first, second = (
        parse_event(sns_notification("subscribe-success", minutes_after_noon(0), trial="true")),
        parse_event(sns_notification("subscribe-success", minutes_after_noon(9))),
    )

    assert status_service.derive_state([first]).free_trial is True
    assert status_service.derive_state([second, first]).free_trial is False


@pytest.mark.parametrize(
    ("has_entitlements", "status", "since"), [(True, "active", 0), (False, "ended", 1), (None, "active", 0)]
)
def test_old_contract_follows_its_entitlements(has_entitlements: bool | None, status: str, since: int) -> None:
    changes = [parse_event(sns_notification("entitlement-updated", minutes_after_noon(minute))) for minute in (0, 1)]

    state = status_service.derive_state(changes, is_contract=True, has_entitlements=has_entitlements)

    assert (state.status, state.status_since) == (status, minutes_after_noon(since))


def test_entitlement_change_has_no_effect_before_it_is_read() -> None:
    change = parse_event(sns_notification("entitlement-updated"))

    assert status_service.derive_state([change], is_contract=True).status == "pending"
    assert status_service.derive_state([change], has_entitlements=True).status == "pending"


def test_table_has_every_detail_type_and_only_known_statuses() -> None:
    names = {parse_event(eventbridge_event(kind)).kind_without_party for kind in DETAIL_TYPES}

    assert names <= status_service.TRANSITIONS.keys()
    used = {status for row in status_service.TRANSITIONS.values() for status in (*row, *row.values())}
    assert used == set(SUBSCRIPTION_STATUSES)
