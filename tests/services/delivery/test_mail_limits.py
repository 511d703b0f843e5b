"""An address that nobody has proved gets few mails a day, whoever types it and for whatever purchase."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from flask import Flask

from app.models import OutboxMessage
from app.services.signup import invitations
from app.services.signup.invitations import Refusal
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.clock import time_passes
from tests.support.outbox_messages import mail_messages, register_customer, send_outbox_mails
from tests.support.pending_purchases import register_before_purchase, resolve_pending
from tests.support.sent_mails import mail_environment, take_received_mails
from tests.support.smtp_server import FakeSmtpServer
from tests.support.stored_rows import all_rows

STRANGER = "stranger@gmail.com"
LICENSE_ARN = "arn:aws:license-manager::294406891311:license:l-"


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, mail_server: FakeSmtpServer) -> Iterator[pytest.MonkeyPatch]:
    with mail_environment(environment, mail_server) as mail_settings:
        yield mail_settings


def addresses_of_sent(app: Flask, server: FakeSmtpServer) -> list[str]:
    """Send the due mails to buyers and colleagues, and return their addresses."""
    send_outbox_mails(app)
    return [str(mail["To"]) for mail in take_received_mails(server) if mail["To"] != "sales@acme.example"]


def test_made_up_tokens_mail_nobody(app: Flask, sandbox: Sandbox, mail_server: FakeSmtpServer) -> None:
    for number in range(40):
        register_before_purchase(app, f"made-up-{number}", email=STRANGER)
    while resolve_pending(app, minutes=5):
        pass

    assert addresses_of_sent(app, mail_server) == []
    assert all_rows(app, OutboxMessage) == []


def test_address_gets_one_resume_mail_a_day(app: Flask, sandbox: Sandbox, mail_server: FakeSmtpServer) -> None:
    for email in (STRANGER, STRANGER.upper(), STRANGER, "ada@gmail.com"):
        register_before_purchase(app, factories.token(sandbox), email=email)
    sandbox.marketplace.change_faults(aws_down=True)
    while resolve_pending(app, hours=5):
        pass
    with time_passes(hours=5):
        first_day = addresses_of_sent(app, mail_server)
    sandbox.marketplace.change_faults(aws_down=False, expired=True)
    with time_passes(hours=30):
        register_before_purchase(app, factories.token(sandbox), email=STRANGER)
        resolve_pending(app, seconds=5)
    with time_passes(hours=31):
        next_day = addresses_of_sent(app, mail_server)

    assert sorted(first_day) == ["ada@gmail.com", STRANGER]
    assert next_day == [STRANGER]
    assert [mail.fault for mail in mail_messages(app) if mail.outcome == "cancelled"] == ["TooManyOfOneAddress"] * 2


@pytest.mark.parametrize("is_accepted", [False, True])
def test_address_gets_five_invitations_a_day_from_all_purchases(
    app: Flask, mail_server: FakeSmtpServer, is_accepted: bool
) -> None:
    purchases = [register_customer(app, {"license_arn": f"{LICENSE_ARN}{n}", "agreement_id": None}) for n in range(7)]
    addresses_of_sent(app, mail_server)

    def invite(subscription_id: UUID) -> object:
        with app.app_context():
            return invitations.invite(subscription_id, STRANGER, "buyer")

    outcomes = []
    for subscription_id in purchases:
        outcomes.append(invite(subscription_id))
        with app.app_context():
            for invitation in invitations.list_open(subscription_id):
                # By whoever has the link, such as the purchaser who copied it.
                invitations.accept(invitation.id, b"browser") if is_accepted else invitations.revoke(
                    invitation.id, "buyer"
                )
            invitations.purge_emails()

    assert [outcome is Refusal.TOO_MANY_TO_ADDRESS for outcome in outcomes] == [*[False] * 5, True, True]
    with time_passes(days=1, minutes=1):
        assert invite(purchases[0]) is not Refusal.TOO_MANY_TO_ADDRESS


@pytest.mark.parametrize("email", [STRANGER, "\u00c9VA@gmail.com"])
def test_address_gets_twenty_other_mails_a_day(app: Flask, mail_server: FakeSmtpServer, email: str) -> None:
    for number in range(22):
        register_customer(app, {"license_arn": f"{LICENSE_ARN}{number}", "agreement_id": None}, email=email)

    assert len(addresses_of_sent(app, mail_server)) == 20


def test_mail_to_the_seller_has_no_limit(app: Flask, mail_server: FakeSmtpServer) -> None:
    for number in range(22):
        register_customer(app, {"license_arn": f"{LICENSE_ARN}{number}", "agreement_id": None})
    send_outbox_mails(app)

    to = [str(mail["To"]) for mail in take_received_mails(mail_server)]
    assert to.count("sales@acme.example") == 22
