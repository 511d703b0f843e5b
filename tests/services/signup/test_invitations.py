"""Invitations: how many, for how long, used once whoever comes, and with nobody's address kept when they are over."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Row

from app.models import AuditEntry, Invitation
from app.services.events import merge
from app.services.operations.audit import BUYER_ACTOR
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Resolved
from app.services.signup import erasure, invitations, registrations, resume_links
from app.services.signup.invitations import Refusal
from app.worker import loop
from tests.support import factories
from tests.support.personal_data import dump_tables, run_transaction
from tests.support.stored_rows import all_rows

GRACE = "grace.hopper@gmail.com"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands until it is moved."""
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        yield clock


@pytest.fixture
def subscription_id(app: Flask) -> UUID:
    """A purchase whose buyer has come."""
    with app.app_context():
        return subscriptions.upsert_from_landing(factories.landing())


def invite(app: Flask, subscription_id: UUID, email: str = GRACE) -> Row[Any] | Refusal:
    with app.app_context():
        return invitations.invite(subscription_id, email, BUYER_ACTOR)


def invited(app: Flask, subscription_id: UUID, email: str = GRACE) -> UUID:
    outcome = invite(app, subscription_id, email)
    assert not isinstance(outcome, Refusal)
    invitation_id: UUID = outcome.id
    return invitation_id


def another(app: Flask) -> UUID:
    license_arn = "arn:aws:license-manager::294406891311:license:l-another"
    with app.app_context():
        return subscriptions.upsert_from_landing(
            factories.landing(license_arn=license_arn, agreement_id="agmt-another")
        )


def test_whoever_accepts_gets_the_purchase_as_its_buyer_had_it(app: Flask, subscription_id: UUID) -> None:
    invitation_id = invited(app, subscription_id)

    with app.app_context():
        offered, purchase = (
            invitations.find_offered_purchase(invitation_id),
            invitations.accept(invitation_id, token_bytes(8)),
        )

    assert purchase == offered == Resolved(factories.landing(), subscription_id)
    assert purchase
    with app.app_context():
        completed = registrations.complete(purchase, factories.answers(), actor=invitations.actor(invitation_id))
    assert completed.subscription_id == subscription_id
    deeds = [(entry.action, entry.actor, entry.subscription_id) for entry in all_rows(app, AuditEntry)]
    assert deeds == [
        ("invitation.sent", "buyer", subscription_id),
        ("invitation.accepted", f"invitation:{invitation_id}", subscription_id),
        ("registration.completed", f"invitation:{invitation_id}", subscription_id),
    ]


def test_of_many_who_accept_at_once_one_gets_it(app: Flask, subscription_id: UUID) -> None:
    invitation_id = invited(app, subscription_id)

    def accept(_: int) -> Resolved | None:
        with app.app_context():
            return invitations.accept(invitation_id, token_bytes(8))

    with ThreadPoolExecutor(8) as threads:
        got = [purchase for purchase in threads.map(accept, range(8)) if purchase]

    assert len(got) == 1
    assert [entry.action for entry in all_rows(app, AuditEntry)] == ["invitation.sent", "invitation.accepted"]


def test_what_is_revoked_is_not_accepted_and_what_is_accepted_is_not_revoked(app: Flask, subscription_id: UUID) -> None:
    first, second = invited(app, subscription_id), invited(app, subscription_id, "another@gmail.com")

    with app.app_context():
        revoked = [invitations.revoke(first, "operator:alice"), invitations.revoke(first, "operator:bob")]
        accepted = [invitations.accept(first, token_bytes(8)), invitations.accept(second, token_bytes(8))]
        too_late = invitations.revoke(second, "operator:alice")

    assert (revoked, too_late) == ([True, False], False)
    assert [purchase is not None for purchase in accepted] == [False, True]
    assert [entry.actor for entry in all_rows(app, AuditEntry) if entry.action == "invitation.revoked"] == [
        "operator:alice"
    ]


def test_a_link_leads_to_its_invitation_and_a_seal_for_another_use_to_none(app: Flask, subscription_id: UUID) -> None:
    invitation_id = invited(app, subscription_id)

    with app.app_context():
        path = invitations.LINK.path_for(invitation_id)
        for_another_use = resume_links.LINK.path_for(invitation_id).rpartition("/")[2]

        assert invitations.LINK.id_from(path.rpartition("/")[2]) == invitation_id
        assert invitations.LINK.id_from(for_another_use) is None
        assert invitations.find_offered_purchase(uuid4()) is None
        assert invitations.accept(uuid4(), token_bytes(8)) is None


def test_after_seven_days_it_is_over(app: Flask, clock: time_machine.Traveller, subscription_id: UUID) -> None:
    invitation_id = invited(app, subscription_id)

    clock.shift(timedelta(days=7) - timedelta(seconds=1))
    with app.app_context():
        just_before = invitations.find_open(invitation_id)
    clock.shift(timedelta(seconds=1))

    assert just_before
    with app.app_context():
        assert invitations.find_open(invitation_id) is None
        assert invitations.find_offered_purchase(invitation_id) is None
        assert invitations.list_open(subscription_id) == []
        assert invitations.accept(invitation_id, token_bytes(8)) is None
        assert invitations.revoke(invitation_id, BUYER_ACTOR) is False


def test_five_are_open_at_the_most_however_many_are_invited_at_once(app: Flask, subscription_id: UUID) -> None:
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda n: invite(app, subscription_id, f"colleague{n}@gmail.com"), range(8)))

    assert outcomes.count(Refusal.TOO_MANY_OPEN) == 3
    assert len(all_rows(app, Invitation)) == 5
    assert invited(app, another(app))


def test_where_five_are_open_each_of_them_is_sent_again(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    first, *_ = [invited(app, subscription_id, f"colleague{n}@gmail.com") for n in range(5)]
    clock.shift(timedelta(days=1))

    assert invited(app, subscription_id, "colleague0@gmail.com") == first

    with app.app_context():
        prolonged = invitations.find_open(first)
    assert prolonged
    assert prolonged.expires_at == datetime.now(UTC) + timedelta(days=7)


def test_twenty_are_sent_within_a_day_the_same_one_again_among_them(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    for _ in range(20):
        invited(app, subscription_id)
        clock.shift(timedelta(minutes=1))

    assert invite(app, subscription_id) is Refusal.TOO_MANY_TODAY
    assert invite(app, subscription_id, "another@gmail.com") is Refusal.TOO_MANY_TODAY

    clock.shift(timedelta(hours=23, minutes=41))
    assert len(all_rows(app, Invitation)) == 1
    assert invited(app, subscription_id)


def test_an_address_that_was_revoked_is_invited_anew(app: Flask, subscription_id: UUID) -> None:
    first = invited(app, subscription_id)
    with app.app_context():
        invitations.revoke(first, BUYER_ACTOR)

    second = invited(app, subscription_id)

    assert second != first
    with app.app_context():
        assert invitations.accept(first, token_bytes(8)) is None
        assert invitations.accept(second, token_bytes(8))


def test_an_invitation_of_a_subscription_that_was_merged_is_for_what_it_became(
    app: Flask, subscription_id: UUID
) -> None:
    invitation_id, kept_id = invited(app, subscription_id), another(app)
    run_transaction(app, lambda connection: merge.merge(connection, kept_id, subscription_id))

    with app.app_context():
        purchase = invitations.accept(invitation_id, token_bytes(8))

    assert purchase
    assert purchase.subscription_id == kept_id


def test_the_worker_erases_the_address_of_what_is_over_and_of_nothing_else(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    expired = invited(app, subscription_id, "expired@gmail.com")
    clock.shift(timedelta(days=7))
    accepted, revoked, still_open = (invited(app, subscription_id, f"{n}@gmail.com") for n in ("a", "r", "o"))
    with app.app_context():
        invitations.accept(accepted, token_bytes(8))
        invitations.revoke(revoked, BUYER_ACTOR)

        loop.purge()

    kept = {invitation.id: invitation.email for invitation in all_rows(app, Invitation)}
    assert kept == {expired: None, accepted: None, revoked: None, still_open: "o@gmail.com"}


def test_nothing_of_a_colleague_is_kept_when_it_is_over(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    invitation_id = invited(app, subscription_id)
    with app.app_context():
        assert "grace" in str(dump_tables(app))
        invitations.accept(invitation_id, token_bytes(8))
        invitations.purge_emails()

    assert "grace" not in str(dump_tables(app))


def test_whose_registration_is_erased_is_no_longer_known_by_address_but_the_link_works(
    app: Flask, subscription_id: UUID
) -> None:
    invitation_id = invited(app, subscription_id)
    with app.app_context():
        completed = registrations.complete(factories.resolved(), factories.answers())
        erasure.erase(completed.registration_id, "operator:alice")

        [still_open] = invitations.list_open(subscription_id)

        assert still_open.email is None
        assert invitations.accept(invitation_id, token_bytes(8))


def test_the_same_browser_gets_it_again_where_the_first_answer_was_lost(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    invitation_id = invited(app, subscription_id)

    with app.app_context():
        first, second = (invitations.accept(invitation_id, b"one browser") for _ in range(2))
        another = invitations.accept(invitation_id, b"another browser")
        clock.shift(invitations.REACCEPT_WITHIN)
        later = invitations.accept(invitation_id, b"one browser")

    assert first
    assert second == first
    assert (another, later) == (None, None)
