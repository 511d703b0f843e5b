"""Mails that cannot be sent: which are tried again, which fail, and which are cancelled."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import update
from uuid_utils.compat import uuid7

from app.models import Subscription
from app.services.delivery import send_mail
from app.services.outbox import queue
from app.services.signup import erasure
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import (
    SITE_URL,
    claim_due,
    mail_messages,
    register_customer,
    registration_id_of,
    send_outbox_mails,
)
from tests.support.personal_data import run_transaction
from tests.support.sent_mails import BUYER_ADDRESS, mail_environment, send_due_mails, take_received_mails
from tests.support.smtp_server import FakeSmtpServer


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, mail_server: FakeSmtpServer) -> Iterator[pytest.MonkeyPatch]:
    with mail_environment(environment, mail_server) as mail_settings:
        yield mail_settings


def test_unavailable_mail_server_is_retried_and_registration_succeeds(app: Flask, mail_server: FakeSmtpServer) -> None:
    mail_server.replies["MAIL"] = "451 4.3.0 not now"
    subscription_id = register_customer(app)

    assert send_outbox_mails(app) == [False, False]

    assert registration_id_of(app, subscription_id)
    now = datetime.now(UTC)
    for mail in mail_messages(app):
        assert (mail.outcome, mail.fault, mail.tries) == ("waiting", "SMTP 451 4.3.0", 1)
        assert mail.next_try_at
        assert timedelta() < mail.next_try_at - now <= timedelta(seconds=10)
    mail_server.replies.clear()
    with time_passes(seconds=11):
        assert set(send_due_mails(app, mail_server)) == {"buyer_registered", "seller_registered"}


@on_sqlite
def test_mail_fails_after_three_days(app: Flask, mail_server: FakeSmtpServer) -> None:
    mail_server.replies["MAIL"] = "451 4.3.0 not now"
    register_customer(app)
    send_outbox_mails(app)

    with time_passes(days=3, seconds=1):
        assert send_outbox_mails(app) == [True, True]

    assert {(mail.outcome, mail.fault) for mail in mail_messages(app)} == {("failed", "SMTP 451 4.3.0")}


@on_sqlite
def test_refused_address_is_neither_retried_nor_logged(
    app: Flask, mail_server: FakeSmtpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    mail_server.replies["RCPT"] = f"550 5.1.1 <{BUYER_ADDRESS}> is unknown here"
    register_customer(app)

    send_outbox_mails(app)

    assert {(mail.outcome, mail.fault) for mail in mail_messages(app)} == {("failed", "SMTP 550 5.1.1")}
    # The mail server's test double logs, too.
    logged = [line for line in capsys.readouterr().err.splitlines() if '"event": "mail.failed"' in line]
    assert len(logged) == 2
    assert BUYER_ADDRESS not in str(logged)


def test_erased_person_is_sent_nothing(app: Flask, mail_server: FakeSmtpServer) -> None:
    subscription_id = register_customer(app)
    claimed = claim_due(app, queue.MAIL_LANE)
    with app.app_context():
        erasure.erase(registration_id_of(app, subscription_id), "operator:alice")

    with app.app_context():
        assert send_mail.send(claimed, site_url=SITE_URL)

    assert send_outbox_mails(app) == []
    assert take_received_mails(mail_server) == []
    assert {mail.outcome for mail in mail_messages(app)} == {"cancelled"}


@on_sqlite
def test_mail_without_its_registration_is_cancelled(app: Flask) -> None:
    with app.app_context():
        mail = queue.new_mail("buyer_registered", registration_id=uuid7())
    run_transaction(app, lambda connection: queue.enqueue(connection, [mail]))

    send_outbox_mails(app)

    assert [mail.outcome for mail in mail_messages(app)] == ["cancelled"]


@on_sqlite
def test_mail_about_a_removed_product_fails(app: Flask, mail_server: FakeSmtpServer) -> None:
    register_customer(app)
    remove_product = update(Subscription).values(product_code="gone")
    run_transaction(app, lambda connection: connection.execute(remove_product))

    send_outbox_mails(app)

    assert {(mail.outcome, mail.fault) for mail in mail_messages(app)} == {("failed", "UnknownProduct")}
