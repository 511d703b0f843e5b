"""The state machine: what each notification makes of a subscription, and what must not count as its end."""

from itertools import permutations
from typing import Any

import pytest

from app.models import STATUSES
from app.services.purchases import status as purchases_status
from app.services.purchases.aws_event import KINDS, Notice
from tests.events import AGREEMENT, at, eventbridge, notice, sns

CREATED, AMENDED, ENDED = (f"Purchase Agreement {verb} - Proposer" for verb in ("Created", "Amended", "Ended"))
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"


def told(*kinds: str, **about: Any) -> list[Notice]:
    """Return notifications of these kinds, a minute apart."""
    return [
        notice(eventbridge(kind, at(place), **about) if " " in kind else sns(kind, at(place)))
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

    states = {purchases_status.state(order) for order in permutations(notices)}

    [state] = states
    assert (state.status, state.since) == (status, None if since is None else at(since))


def test_in_one_second_an_end_comes_last() -> None:
    notices = [notice(eventbridge(kind, at(0))) for kind in (DEPROVISIONED, ENDED, UPDATED, CREATED)]

    assert purchases_status.state(notices).status == "ended"


@pytest.mark.parametrize("status", ["EXPIRED", "RENEWED", None])
def test_a_renewal_is_no_end(status: str | None) -> None:
    renewal = notice(eventbridge(CREATED, at(1), agreement="agmt-b", previous=AGREEMENT))
    notices = [*told(UPDATED), renewal, *told(ENDED, DEPROVISIONED, ENDED, status=status)]

    state = purchases_status.state(notices)

    assert (state.status, state.since) == ("active", at(0))


@pytest.mark.parametrize("status", ["RENEWED", "REPLACED", "SUPERSEDED"])
def test_an_agreement_whose_place_another_takes_has_not_ended_before_the_other_is_known(status: str) -> None:
    assert purchases_status.state(told(UPDATED, ENDED, status=status)).status == "active"


def test_the_renewed_agreement_ends_like_any_other() -> None:
    renewal = [eventbridge(CREATED, at(1), agreement="agmt-b", previous=AGREEMENT)]
    renewal += [eventbridge(ENDED, at(2)), eventbridge(ENDED, at(3), agreement="agmt-b")]

    state = purchases_status.state([*told(UPDATED), *map(notice, renewal)])

    assert (state.status, state.since) == ("ending", at(3))


def test_a_renewal_that_is_cancelled_before_its_first_day_leaves_everything_as_it_is() -> None:
    renewal = [eventbridge(CREATED, at(1), agreement="agmt-b", previous=AGREEMENT, starts="2027-01-01T00:00:00Z")]
    renewal += [eventbridge(ENDED, at(2), agreement="agmt-b", status="CANCELLED")]
    notices = [*told(UPDATED), *map(notice, renewal)]

    over = [*notices, notice(eventbridge(ENDED, at(3), status="EXPIRED")), notice(eventbridge(DEPROVISIONED, at(4)))]

    assert (purchases_status.state(notices).status, purchases_status.state(notices).since) == ("active", at(0))
    assert (purchases_status.state(over).status, purchases_status.state(over).since) == ("ended", at(4))


def test_two_agreements_that_are_said_to_follow_each_other_end_all_the_same() -> None:
    ring = [eventbridge(CREATED, at(1), agreement="agmt-b", previous=AGREEMENT)]
    ring += [eventbridge(CREATED, at(2), previous="agmt-b"), eventbridge(DEPROVISIONED, at(3))]

    assert purchases_status.state([*told(UPDATED), *map(notice, ring)]).status == "ended"


def test_the_agreements_end_is_what_its_latest_event_says() -> None:
    first = notice(eventbridge(CREATED, at(0), ends="2027-01-01T00:00:00Z"))
    amended = notice(eventbridge(AMENDED, at(1), ends="2028-01-01T00:00:00Z"))

    state = purchases_status.state([amended, first])

    assert state.ends_at
    assert state.ends_at.year == 2028


def test_an_agreement_that_is_cancelled_ends_then_and_not_on_the_day_that_was_agreed() -> None:
    agreed = notice(eventbridge(CREATED, at(0), ends="2027-01-01T00:00:00Z"))
    cancelled = notice(eventbridge(ENDED, at(5), status="CANCELLED"))

    assert purchases_status.state([cancelled, agreed]).ends_at == at(5)


def test_the_end_of_an_agreement_that_was_renewed_is_not_the_subscriptions() -> None:
    first = notice(eventbridge(CREATED, at(0), ends="2027-01-01T00:00:00Z"))
    renewal = notice(eventbridge(CREATED, at(1), agreement="agmt-b", previous=AGREEMENT))

    assert purchases_status.state([first, renewal]).ends_at is None


def test_the_latest_word_on_a_free_trial_stands() -> None:
    begun, over = notice(sns("subscribe-success", at(0), trial="true")), notice(sns("subscribe-success", at(9)))

    assert purchases_status.state([begun]).free_trial is True
    assert purchases_status.state([over, begun]).free_trial is False


@pytest.mark.parametrize(
    ("entitled", "status", "since"), [(True, "active", 0), (False, "ended", 1), (None, "active", 0)]
)
def test_an_old_contract_stands_as_its_entitlements_do(entitled: bool | None, status: str, since: int) -> None:
    changes = [notice(sns("entitlement-updated", at(minute))) for minute in (0, 1)]

    state = purchases_status.state(changes, is_contract=True, entitled=entitled)

    assert (state.status, state.since) == (status, at(since))


def test_one_change_of_entitlements_says_nothing_before_they_are_read() -> None:
    change = notice(sns("entitlement-updated"))

    assert purchases_status.state([change], is_contract=True).status == "pending"
    assert purchases_status.state([change], entitled=True).status == "pending"


def test_the_table_has_every_kind_that_the_rules_send_and_only_statuses_that_exist() -> None:
    names = {notice(eventbridge(kind)).name for kind in KINDS}

    assert names <= purchases_status.TRANSITIONS.keys()
    used = {status for row in purchases_status.TRANSITIONS.values() for status in (*row, *row.values())}
    assert used == set(STATUSES)
