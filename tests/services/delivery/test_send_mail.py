"""Sending mails: who receives which and when, through a real mail server or the sandbox's SES."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app import create_app
from app.services.delivery import send_handoff
from app.services.events import apply
from app.services.purchases.purchase import UnverifiedFields
from app.services.signup import invitations, pending_tokens, registrations, retry_pending
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.aws_events import (
    LICENSE_DEPROVISIONED,
    LICENSE_UPDATED,
    minutes_after_noon,
    parse_event,
    sns_notification,
)
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import (
    SITE_URL,
    claim_due,
    handoff_messages,
    mail_messages,
    receive_license_event,
    register_customer,
    send_outbox_mails,
)
from tests.support.sent_mails import (
    BUYER_ADDRESS,
    SELLER_ADDRESS,
    mail_environment,
    recipients_by_type,
    send_due_mails,
    text_of,
)
from tests.support.smtp_server import FakeSmtpServer


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, mail_server: FakeSmtpServer) -> Iterator[pytest.MonkeyPatch]:
    with mail_environment(environment, mail_server) as mail_settings:
        yield mail_settings


def test_each_step_of_a_purchase_is_mailed_to_buyer_and_seller(app: Flask, mail_server: FakeSmtpServer) -> None:
    register_customer(app)
    registered = send_due_mails(app, mail_server)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    activated = send_due_mails(app, mail_server)
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))
    ended = send_due_mails(app, mail_server)

    assert recipients_by_type(registered) == {"buyer_registered": BUYER_ADDRESS, "seller_registered": SELLER_ADDRESS}
    assert recipients_by_type(activated) == {"buyer_access_began": BUYER_ADDRESS, "seller_activated": SELLER_ADDRESS}
    assert recipients_by_type(ended) == {"buyer_access_ended": BUYER_ADDRESS, "seller_ended": SELLER_ADDRESS}
    assert registered["seller_registered"]["Reply-To"] == BUYER_ADDRESS
    assert {str(mail["Reply-To"]) for mail in activated.values()} == {"help@acme.example", "None"}
    assert f"{SITE_URL}/progress/" in text_of(registered["buyer_registered"])
    assert {mail.outcome for mail in mail_messages(app)} == {"delivered"}
    assert all(mail.provider_id and not mail.fault for mail in mail_messages(app))


@on_sqlite
def test_cancellation_is_mailed_to_the_seller_only(app: Flask, mail_server: FakeSmtpServer) -> None:
    old = {"license_arn": None, "customer_identifier": "ifAMPLE1234", "agreement_id": None}
    register_customer(app, old)
    with app.app_context():
        for minute, action in enumerate(("subscribe-success", "unsubscribe-pending")):
            send_due_mails(app, mail_server)
            apply.ingest(parse_event(sns_notification(action, minutes_after_noon(minute))))

    assert recipients_by_type(send_due_mails(app, mail_server)) == {"seller_ending": SELLER_ADDRESS}


@on_sqlite
def test_failed_purchase_is_mailed_to_buyer_and_seller(app: Flask, mail_server: FakeSmtpServer) -> None:
    register_customer(app)
    send_due_mails(app, mail_server)
    receive_license_event(app, "Purchase Agreement Ended - Proposer", minutes_after_noon(1))

    assert recipients_by_type(send_due_mails(app, mail_server)) == {
        "buyer_purchase_failed": BUYER_ADDRESS,
        "seller_purchase_failed": SELLER_ADDRESS,
    }


@on_sqlite
def test_purchase_without_registration_is_mailed_to_the_seller_only(app: Flask, mail_server: FakeSmtpServer) -> None:
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))

    mails = send_due_mails(app, mail_server)

    assert recipients_by_type(mails) == {"seller_activated": SELLER_ADDRESS, "seller_ended": SELLER_ADDRESS}
    assert {mail.type for mail in mail_messages(app)} == set(mails)
    assert "No one has registered for this purchase yet." in text_of(mails["seller_activated"])


@on_sqlite
def test_late_mail_names_the_time_of_the_aws_event(app: Flask, mail_server: FakeSmtpServer) -> None:
    register_customer(app)
    send_due_mails(app, mail_server)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))

    with time_passes(hours=20):
        mails = send_due_mails(app, mail_server)

    assert "has had access since 2 November 2026, 12:01 UTC" in text_of(mails["seller_activated"])


def test_failed_handoff_is_mailed_to_the_seller(app: Flask, mail_server: FakeSmtpServer) -> None:
    register_customer(app)
    send_due_mails(app, mail_server)
    with app.app_context():
        send_handoff._give_up(claim_due(app), "410")

    mails = send_due_mails(app, mail_server)

    (failed,) = handoff_messages(app)
    assert recipients_by_type(mails) == {"seller_handoff_failed": SELLER_ADDRESS}
    text = text_of(mails["seller_handoff_failed"])
    assert f"foyer handoffs retry {failed.id}" in text
    assert "registration.completed" in text
    assert "410" in text


@on_sqlite
def test_invitation_is_mailed_unless_revoked(app: Flask, mail_server: FakeSmtpServer) -> None:
    subscription_id = register_customer(app)
    send_due_mails(app, mail_server)
    with app.app_context():
        for email in ("bob@example.com", "eve@example.com"):
            invited = invitations.invite(subscription_id, email, "buyer")
        assert not isinstance(invited, invitations.Refusal)
        invitations.revoke(invited.id, "buyer")

    mails = send_due_mails(app, mail_server)

    assert recipients_by_type(mails) == {"colleague_invited": "bob@example.com"}
    assert f"{SITE_URL}/invitation/" in text_of(mails["colleague_invited"])
    assert [mail.outcome for mail in mail_messages(app)][-2:] == ["delivered", "cancelled"]


@on_sqlite
def test_resume_link_is_mailed_unless_the_buyer_has_registered(
    app: Flask, sandbox: Sandbox, mail_server: FakeSmtpServer
) -> None:
    sandbox.marketplace.change_faults(expired=True)
    with app.app_context():
        for name in ("waiting", "registered"):
            token = pending_tokens.store(factories.token(sandbox), UnverifiedFields())
            email = f"{name}@example.com"
            registration_id = registrations.complete(token, factories.answers(email=email)).registration_id
        with time_passes(minutes=1):
            assert (retry_pending.resolve_next(), retry_pending.resolve_next()) == (True, True)
        registrations.complete(
            factories.resolved(), factories.answers(email="registered@example.com"), [registration_id]
        )

    with time_passes(minutes=2):
        mails = send_due_mails(app, mail_server)

    assert sorted(recipients_by_type(mails).items()) == [
        ("buyer_registered", "registered@example.com"),
        ("buyer_resume", "waiting@example.com"),
        ("seller_registered", SELLER_ADDRESS),
    ]
    assert f"{SITE_URL}/resume/" in text_of(mails["buyer_resume"])


@on_sqlite
def test_no_mail_is_enqueued_without_mail_from(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("MAIL_FROM")
    with factories.open_app(create_app()) as app:
        register_customer(app)
        receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))

        assert mail_messages(app) == []


@on_sqlite
def test_mail_without_smtp_url_goes_through_ses_and_stores_its_id(
    environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    environment.delenv("SMTP_URL")
    with factories.open_app(create_app()) as app:
        register_customer(app)
        send_outbox_mails(app)
        by_id = {mail.provider_id: (mail.type, str(mail.id)) for mail in mail_messages(app)}

    mails = {mail.id: (mail.to, mail.tags["foyer-outbox"]) for mail in sandbox.marketplace.inbox.mails}
    assert set(mails) == set(by_id)
    assert {by_id[provider_id][0]: to for provider_id, (to, _) in mails.items()} == {
        "buyer_registered": [BUYER_ADDRESS],
        "seller_registered": [SELLER_ADDRESS],
    }
    assert {tag for _, tag in mails.values()} == {our_id for _, our_id in by_id.values()}
