"""The state machine: what each notification makes of a subscription, and what must not count as its end."""

from itertools import permutations
from typing import Any

import pytest

from app.models import SUBSCRIPTION_STATUSES
from app.services.purchases import status as purchases_status
from app.services.purchases.aws_event import DETAIL_TYPES, AwsEvent
from tests.support.aws_events import AGREEMENT_ID, eventbridge_event, minutes_after_noon, parse_event, sns_notification

CREATED, AMENDED, ENDED = (f"Purchase Agreement {verb} - Proposer" for verb in ("Created", "Amended", "Ended"))
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"


def told(*kinds: str, **about: Any) -> list[AwsEvent]:
    """Return notifications of these kinds, a minute apart."""
    return [
        parse_event(
            eventbridge_event(kind, minutes_after_noon(place), **about)
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
def test_notifications_make_the_status_in_the_order_of_their_times(
    kinds: list[str], status: str, since: int | None
) -> None:
    notices = told(*kinds)

    states = {purchases_status.derive_state(order) for order in permutations(notices)}

    [state] = states
    assert (state.status, state.status_since) == (status, None if since is None else minutes_after_noon(since))


def test_in_one_second_an_end_comes_last() -> None:
    notices = [
        parse_event(eventbridge_event(kind, minutes_after_noon(0))) for kind in (DEPROVISIONED, ENDED, UPDATED, CREATED)
    ]

    assert purchases_status.derive_state(notices).status == "ended"


@pytest.mark.parametrize("status", ["EXPIRED", "RENEWED", None])
def test_a_renewal_is_no_end(status: str | None) -> None:
    renewal = parse_event(eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID))
    notices = [*told(UPDATED), renewal, *told(ENDED, DEPROVISIONED, ENDED, status=status)]

    state = purchases_status.derive_state(notices)

    assert (state.status, state.status_since) == ("active", minutes_after_noon(0))


@pytest.mark.parametrize("status", ["RENEWED", "REPLACED", "SUPERSEDED"])
def test_an_agreement_whose_place_another_takes_has_not_ended_before_the_other_is_known(status: str) -> None:
    assert purchases_status.derive_state(told(UPDATED, ENDED, status=status)).status == "active"


def test_the_renewed_agreement_ends_like_any_other() -> None:
    renewal = [eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID)]
    renewal += [
        eventbridge_event(ENDED, minutes_after_noon(2)),
        eventbridge_event(ENDED, minutes_after_noon(3), agreement="agmt-b"),
    ]

    state = purchases_status.derive_state([*told(UPDATED), *map(parse_event, renewal)])

    assert (state.status, state.status_since) == ("ending", minutes_after_noon(3))


def test_a_renewal_that_is_cancelled_before_its_first_day_leaves_everything_as_it_is() -> None:
    renewal = [
        eventbridge_event(
            CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID, starts="2027-01-01T00:00:00Z"
        )
    ]
    renewal += [eventbridge_event(ENDED, minutes_after_noon(2), agreement="agmt-b", status="CANCELLED")]
    notices = [*told(UPDATED), *map(parse_event, renewal)]

    over = [
        *notices,
        parse_event(eventbridge_event(ENDED, minutes_after_noon(3), status="EXPIRED")),
        parse_event(eventbridge_event(DEPROVISIONED, minutes_after_noon(4))),
    ]

    assert (purchases_status.derive_state(notices).status, purchases_status.derive_state(notices).status_since) == (
        "active",
        minutes_after_noon(0),
    )
    assert (purchases_status.derive_state(over).status, purchases_status.derive_state(over).status_since) == (
        "ended",
        minutes_after_noon(4),
    )


def test_two_agreements_that_are_said_to_follow_each_other_end_all_the_same() -> None:
    ring = [eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID)]
    ring += [
        eventbridge_event(CREATED, minutes_after_noon(2), previous="agmt-b"),
        eventbridge_event(DEPROVISIONED, minutes_after_noon(3)),
    ]

    assert purchases_status.derive_state([*told(UPDATED), *map(parse_event, ring)]).status == "ended"


def test_the_agreements_end_is_what_its_latest_event_says() -> None:
    first = parse_event(eventbridge_event(CREATED, minutes_after_noon(0), ends="2027-01-01T00:00:00Z"))
    amended = parse_event(eventbridge_event(AMENDED, minutes_after_noon(1), ends="2028-01-01T00:00:00Z"))

    state = purchases_status.derive_state([amended, first])

    assert state.ends_at
    assert state.ends_at.year == 2028


def test_an_agreement_that_is_cancelled_ends_then_and_not_on_the_day_that_was_agreed() -> None:
    agreed = parse_event(eventbridge_event(CREATED, minutes_after_noon(0), ends="2027-01-01T00:00:00Z"))
    cancelled = parse_event(eventbridge_event(ENDED, minutes_after_noon(5), status="CANCELLED"))

    assert purchases_status.derive_state([cancelled, agreed]).ends_at == minutes_after_noon(5)


def test_the_end_of_an_agreement_that_was_renewed_is_not_the_subscriptions() -> None:
    first = parse_event(eventbridge_event(CREATED, minutes_after_noon(0), ends="2027-01-01T00:00:00Z"))
    renewal = parse_event(eventbridge_event(CREATED, minutes_after_noon(1), agreement="agmt-b", previous=AGREEMENT_ID))

    assert purchases_status.derive_state([first, renewal]).ends_at is None


def test_the_latest_word_on_a_free_trial_stands() -> None:
    begun, over = (
        parse_event(sns_notification("subscribe-success", minutes_after_noon(0), trial="true")),
        parse_event(sns_notification("subscribe-success", minutes_after_noon(9))),
    )

    assert purchases_status.derive_state([begun]).free_trial is True
    assert purchases_status.derive_state([over, begun]).free_trial is False


@pytest.mark.parametrize(
    ("entitled", "status", "since"), [(True, "active", 0), (False, "ended", 1), (None, "active", 0)]
)
def test_an_old_contract_stands_as_its_entitlements_do(entitled: bool | None, status: str, since: int) -> None:
    changes = [parse_event(sns_notification("entitlement-updated", minutes_after_noon(minute))) for minute in (0, 1)]

    state = purchases_status.derive_state(changes, is_contract=True, has_entitlements=entitled)

    assert (state.status, state.status_since) == (status, minutes_after_noon(since))


def test_one_change_of_entitlements_says_nothing_before_they_are_read() -> None:
    change = parse_event(sns_notification("entitlement-updated"))

    assert purchases_status.derive_state([change], is_contract=True).status == "pending"
    assert purchases_status.derive_state([change], has_entitlements=True).status == "pending"


def test_the_table_has_every_kind_that_the_rules_send_and_only_statuses_that_exist() -> None:
    names = {parse_event(eventbridge_event(kind)).kind_without_party for kind in DETAIL_TYPES}

    assert names <= purchases_status.TRANSITIONS.keys()
    used = {status for row in purchases_status.TRANSITIONS.values() for status in (*row, *row.values())}
    assert used == set(SUBSCRIPTION_STATUSES)
