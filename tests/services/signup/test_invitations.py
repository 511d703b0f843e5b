"""Invitations: accepted once, by one browser, unless revoked; their addresses are erased when they are over."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from secrets import token_bytes
from uuid import UUID, uuid4

import time_machine
from flask import Flask

from app.models import AuditEntry, Invitation
from app.services.events import merge
from app.services.operations.audit import BUYER_ACTOR
from app.services.purchases.purchase import Resolved
from app.services.signup import erasure, invitations, registrations, resume_links
from app.worker import loop
from tests.services.signup.colleagues import create_invitation, create_other_subscription
from tests.support import factories
from tests.support.clock import time_passes
from tests.support.personal_data import dump_tables, run_transaction
from tests.support.stored_rows import all_rows


def test_accepted_invitation_returns_the_purchase_of_its_buyer(app: Flask, subscription_id: UUID) -> None:
    invitation_id = create_invitation(app, subscription_id)

    with app.app_context():
        offered = invitations.find_offered_purchase(invitation_id)
        purchase = invitations.accept(invitation_id, token_bytes(8))

    assert purchase == offered == Resolved(factories.landing(), subscription_id)
    assert purchase
    with app.app_context():
        stored = registrations.complete(purchase, factories.answers(), actor=invitations.actor(invitation_id))
    assert stored.subscription_id == subscription_id
    entries = [(entry.action, entry.actor, entry.subscription_id) for entry in all_rows(app, AuditEntry)]
    assert entries == [
        ("invitation.sent", "buyer", subscription_id),
        ("invitation.accepted", f"invitation:{invitation_id}", subscription_id),
        ("registration.completed", f"invitation:{invitation_id}", subscription_id),
    ]


def test_one_of_several_concurrent_browsers_accepts_an_invitation(app: Flask, subscription_id: UUID) -> None:
    invitation_id = create_invitation(app, subscription_id)

    def accept(_: int) -> Resolved | None:
        with app.app_context():
            return invitations.accept(invitation_id, token_bytes(8))

    with ThreadPoolExecutor(8) as threads:
        purchases = [purchase for purchase in threads.map(accept, range(8)) if purchase]

    assert len(purchases) == 1
    assert [entry.action for entry in all_rows(app, AuditEntry)] == ["invitation.sent", "invitation.accepted"]


def test_same_browser_may_accept_again_for_ten_minutes(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    invitation_id = create_invitation(app, subscription_id)

    with app.app_context():
        first, second = (invitations.accept(invitation_id, b"one browser") for _ in range(2))
        other_browser = invitations.accept(invitation_id, b"another browser")
        clock.shift(invitations.REACCEPT_WITHIN)
        later = invitations.accept(invitation_id, b"one browser")

    assert first
    assert second == first
    assert (other_browser, later) == (None, None)


def test_invitation_is_revoked_once_and_then_not_accepted(app: Flask, subscription_id: UUID) -> None:
    first = create_invitation(app, subscription_id)
    second = create_invitation(app, subscription_id, "another@gmail.com")

    with app.app_context():
        revoked = [invitations.revoke(first, "operator:alice"), invitations.revoke(first, "operator:bob")]
        accepted = [invitations.accept(first, token_bytes(8)), invitations.accept(second, token_bytes(8))]
        after_acceptance = [invitations.revoke(second, actor) for actor in ("operator:alice", "operator:bob")]

    assert revoked == after_acceptance == [True, False]
    assert [purchase is not None for purchase in accepted] == [False, True]
    revokers = [entry.actor for entry in all_rows(app, AuditEntry) if entry.action == "invitation.revoked"]
    assert revokers == ["operator:alice"] * 2


def test_revoked_address_gets_a_new_invitation(app: Flask, subscription_id: UUID) -> None:
    first = create_invitation(app, subscription_id)
    with app.app_context():
        invitations.revoke(first, BUYER_ACTOR)

    second = create_invitation(app, subscription_id)

    assert second != first
    with app.app_context():
        assert invitations.accept(first, token_bytes(8)) is None
        assert invitations.accept(second, token_bytes(8))


def test_link_leads_to_its_invitation_only(app: Flask, subscription_id: UUID) -> None:
    invitation_id = create_invitation(app, subscription_id)

    with app.app_context():
        link = invitations.LINK.path_for(invitation_id).rpartition("/")[2]
        resume_link = resume_links.LINK.path_for(invitation_id).rpartition("/")[2]

        assert invitations.LINK.id_from(link) == invitation_id
        assert invitations.LINK.id_from(resume_link) is None
        assert invitations.find_offered_purchase(uuid4()) is None
        assert invitations.accept(uuid4(), token_bytes(8)) is None


def test_invitation_follows_a_merge_of_its_subscription(app: Flask, subscription_id: UUID) -> None:
    invitation_id, target_id = create_invitation(app, subscription_id), create_other_subscription(app)
    run_transaction(app, lambda connection: merge.merge(connection, target_id, subscription_id))

    with app.app_context():
        purchase = invitations.accept(invitation_id, token_bytes(8))

    assert purchase
    assert purchase.subscription_id == target_id


def test_worker_erases_the_addresses_of_closed_invitations_only(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    expired = create_invitation(app, subscription_id, "expired@gmail.com")
    clock.shift(timedelta(days=7))
    accepted, revoked, still_open = (create_invitation(app, subscription_id, f"{n}@gmail.com") for n in "aro")
    with app.app_context():
        invitations.accept(accepted, token_bytes(8))
        invitations.revoke(revoked, BUYER_ACTOR)

        loop.purge()

    emails = {invitation.id: invitation.email for invitation in all_rows(app, Invitation)}
    assert emails == {expired: None, accepted: "a@gmail.com", revoked: "r@gmail.com", still_open: "o@gmail.com"}
    with app.app_context(), time_passes(days=1):
        loop.purge()
    assert [row.email for row in all_rows(app, Invitation)] == [None, None, None, "o@gmail.com"]


def test_purge_leaves_nothing_of_a_colleague_who_accepted(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    invitation_id = create_invitation(app, subscription_id)
    with app.app_context():
        assert "grace" in str(dump_tables(app))
        invitations.accept(invitation_id, token_bytes(8))
        with time_passes(days=1):
            invitations.purge_emails()

    assert "grace" not in str(dump_tables(app))


def test_erasure_removes_the_invited_address_and_keeps_the_link_open(app: Flask, subscription_id: UUID) -> None:
    invitation_id = create_invitation(app, subscription_id)
    with app.app_context():
        stored = registrations.complete(factories.resolved(), factories.answers())
        erasure.erase(stored.registration_id, "operator:alice")

        [invitation] = invitations.list_open(subscription_id)

        assert invitation.email is None
        assert invitations.accept(invitation_id, token_bytes(8))
