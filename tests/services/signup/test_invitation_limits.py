"""Invitations: how many are open, how many are sent a day, and how long each is open."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from secrets import token_bytes
from uuid import UUID

import time_machine
from flask import Flask

from app.models import Invitation
from app.services.operations.audit import BUYER_ACTOR
from app.services.signup import invitations
from app.services.signup.invitations import Refusal
from tests.services.signup.colleagues import create_invitation, create_other_subscription, invite
from tests.support.stored_rows import all_rows


def test_invitation_expires_after_seven_days(app: Flask, clock: time_machine.Traveller, subscription_id: UUID) -> None:
    invitation_id = create_invitation(app, subscription_id)

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


def test_at_most_five_of_concurrent_invitations_are_open(app: Flask, subscription_id: UUID) -> None:
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda n: invite(app, subscription_id, f"colleague{n}@gmail.com"), range(8)))

    assert outcomes.count(Refusal.TOO_MANY_OPEN) == 3
    assert len(all_rows(app, Invitation)) == 5
    assert create_invitation(app, create_other_subscription(app))


def test_open_invitation_is_resent_when_five_are_open(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    first, *_ = [create_invitation(app, subscription_id, f"colleague{n}@gmail.com") for n in range(5)]
    clock.shift(timedelta(days=1))

    assert create_invitation(app, subscription_id, "colleague0@gmail.com") == first

    with app.app_context():
        resent = invitations.find_open(first)
    assert resent
    assert resent.expires_at == datetime.now(UTC) + timedelta(days=7)


def test_at_most_twenty_invitations_are_sent_a_day_with_resent_ones(
    app: Flask, clock: time_machine.Traveller, subscription_id: UUID
) -> None:
    for _ in range(20):
        create_invitation(app, subscription_id)
        clock.shift(timedelta(minutes=1))

    assert invite(app, subscription_id) is Refusal.TOO_MANY_TODAY
    assert invite(app, subscription_id, "another@gmail.com") is Refusal.TOO_MANY_TODAY

    clock.shift(timedelta(hours=23, minutes=41))
    assert len(all_rows(app, Invitation)) == 1
    assert create_invitation(app, subscription_id)
