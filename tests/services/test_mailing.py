"""Mailing: who is written to when, over a real mail server or the sandbox's SES."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app import create_app
from app.services.delivery import send_handoff
from app.services.events import apply
from app.services.purchases.purchase import Said
from app.services.signup import invitations, pending_tokens, registrations, retry_pending
from sandbox.server import Sandbox
from tests import factories
from tests.databases import on_sqlite
from tests.events import at, notice, sns
from tests.mailed import BUYER, SELLER, addressees, by_clerk, sent, text
from tests.post import Post
from tests.promised import (
    DEPROVISIONED,
    SITE_URL,
    UPDATED,
    claimed,
    handed_off,
    is_told,
    later,
    mail_all,
    mails,
    register,
)


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, clerk: Post) -> Iterator[pytest.MonkeyPatch]:
    with by_clerk(environment, clerk) as mailing_:
        yield mailing_


def test_buyer_and_seller_are_written_to_at_each_step_of_a_purchase(app: Flask, clerk: Post) -> None:
    register(app)
    registered = sent(app, clerk)
    is_told(app, UPDATED, at(1))
    activated = sent(app, clerk)
    is_told(app, DEPROVISIONED, at(2))
    ended = sent(app, clerk)

    assert addressees(registered) == {"buyer_registered": BUYER, "seller_registered": SELLER}
    assert addressees(activated) == {"buyer_access_began": BUYER, "seller_activated": SELLER}
    assert addressees(ended) == {"buyer_access_ended": BUYER, "seller_ended": SELLER}
    assert registered["seller_registered"]["Reply-To"] == BUYER
    assert {str(letter["Reply-To"]) for letter in activated.values()} == {"help@acme.example", "None"}
    assert f"{SITE_URL}/progress/" in text(registered["buyer_registered"])
    assert {mail.outcome for mail in mails(app)} == {"delivered"}
    assert all(mail.provider_id and not mail.fault for mail in mails(app))


@on_sqlite
def test_the_seller_alone_hears_that_a_purchase_is_being_cancelled(app: Flask, clerk: Post) -> None:
    old = {"license_arn": None, "customer_identifier": "ifAMPLE1234", "agreement_id": None}
    register(app, old)
    with app.app_context():
        for minute, action in enumerate(("subscribe-success", "unsubscribe-pending")):
            sent(app, clerk)
            apply.receive(notice(sns(action, at(minute))))

    assert addressees(sent(app, clerk)) == {"seller_ending": SELLER}


@on_sqlite
def test_buyer_and_seller_hear_of_a_purchase_that_failed(app: Flask, clerk: Post) -> None:
    register(app)
    sent(app, clerk)
    is_told(app, "Purchase Agreement Ended - Proposer", at(1))

    assert addressees(sent(app, clerk)) == {"buyer_purchase_failed": BUYER, "seller_purchase_failed": SELLER}


@on_sqlite
def test_of_a_purchase_that_nobody_registered_for_the_seller_alone_hears(app: Flask, clerk: Post) -> None:
    is_told(app, UPDATED, at(1))
    is_told(app, DEPROVISIONED, at(2))

    came = sent(app, clerk)

    assert addressees(came) == {"seller_activated": SELLER, "seller_ended": SELLER}
    assert {mail.type for mail in mails(app)} == set(came)
    assert "Nobody has registered for it yet." in text(came["seller_activated"])


@on_sqlite
def test_letters_tell_the_time_that_aws_told_however_late_they_are(app: Flask, clerk: Post) -> None:
    register(app)
    sent(app, clerk)
    is_told(app, UPDATED, at(1))

    with later(hours=20):
        came = sent(app, clerk)

    assert "has access since 2 November 2026, 12:01 UTC" in text(came["seller_activated"])


def test_the_seller_hears_of_a_hand_off_that_failed(app: Flask, clerk: Post) -> None:
    register(app)
    sent(app, clerk)
    with app.app_context():
        send_handoff._given_up(claimed(app), "410")

    came = sent(app, clerk)

    (failed,) = handed_off(app)
    assert addressees(came) == {"seller_handoff_failed": SELLER}
    told = text(came["seller_handoff_failed"])
    assert f"flask --app wsgi handoffs retry {failed.id}" in told
    assert "registration.completed" in told
    assert "410" in told


@on_sqlite
def test_a_colleague_is_invited_with_a_link_unless_it_was_revoked(app: Flask, clerk: Post) -> None:
    subscription_id = register(app)
    sent(app, clerk)
    with app.app_context():
        for email in ("bob@example.com", "eve@example.com"):
            invited = invitations.invite(subscription_id, email, "buyer")
        assert not isinstance(invited, invitations.Refused)
        invitations.revoke(invited.id, "buyer")

    came = sent(app, clerk)

    assert addressees(came) == {"colleague_invited": "bob@example.com"}
    assert f"{SITE_URL}/invitation/" in text(came["colleague_invited"])
    assert [mail.outcome for mail in mails(app)][-2:] == ["delivered", "cancelled"]


@on_sqlite
def test_whose_token_died_is_written_a_way_back_unless_they_have_come(
    app: Flask, sandbox: Sandbox, clerk: Post
) -> None:
    sandbox.world.faults = sandbox.world.faults.model_copy(update={"expired": True})
    with app.app_context():
        for name in ("here", "back"):
            parked = pending_tokens.park(factories.token(sandbox), Said())
            email = f"{name}@example.com"
            registration_id = registrations.complete(parked, factories.answers(email=email)).registration_id
        with later(minutes=1):
            assert (retry_pending.link_next(), retry_pending.link_next()) == (True, True)
        registrations.complete(factories.arrived(), factories.answers(email="back@example.com"), [registration_id])

    with later(minutes=2):
        came = sent(app, clerk)

    assert sorted(addressees(came).items()) == [
        ("buyer_registered", "back@example.com"),
        ("buyer_resume", "here@example.com"),
        ("seller_registered", SELLER),
    ]
    assert f"{SITE_URL}/resume/" in text(came["buyer_resume"])


@on_sqlite
def test_without_a_sender_no_letter_is_promised(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("MAIL_FROM")
    with factories.running(create_app()) as app:
        register(app)
        is_told(app, UPDATED, at(1))

        assert mails(app) == []


@on_sqlite
def test_without_a_mail_server_letters_go_through_ses_and_keep_its_id(
    environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    environment.delenv("SMTP_URL")
    with factories.running(create_app()) as app:
        register(app)
        mail_all(app)
        by_id = {mail.provider_id: (mail.type, str(mail.id)) for mail in mails(app)}

    came = {letter.id: (letter.to, letter.tags["foyer-outbox"]) for letter in sandbox.world.inbox.letters}
    assert set(came) == set(by_id)
    assert {by_id[one][0]: to for one, (to, _) in came.items()} == {
        "buyer_registered": [BUYER],
        "seller_registered": [SELLER],
    }
    assert {tag for _, tag in came.values()} == {our_id for _, our_id in by_id.values()}
