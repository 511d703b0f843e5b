"""Mail to a real Postfix: encrypted with STARTTLS, with the longest texts, refused, and while it is stopped."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.mail.message import Mail, MailUnavailable
from tests.real import postfix
from tests.real.postfix import Postfix
from tests.support import factories, longest_values
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.example_mail import REMOTE_HOST, send_by_smtp
from tests.support.outbox_messages import mail_messages, register_customer, send_outbox_mails
from tests.support.ports import free_port
from tests.support.sent_mails import BUYER_ADDRESS, SELLER_ADDRESS


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postfix]:
    """A Postfix with the mailboxes of the buyer and the seller, whose certificate this process trusts."""
    with postfix.installed(free_port(), BUYER_ADDRESS, SELLER_ADDRESS) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        yield server


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, server: Postfix) -> pytest.MonkeyPatch:
    factories.enable_handoffs_and_mail(environment)
    environment.setenv("PRODUCT_NOTIFY_EMAIL", SELLER_ADDRESS)
    environment.setenv("SMTP_URL", f"smtp://{REMOTE_HOST}:{server.port}")
    return environment


def test_longest_mail_arrives_unchanged_over_starttls(server: Postfix) -> None:
    lines = [longest_values.text(5000, longest_values.ASTRAL), ".", ".hidden", "From here", "x" * 5000, " end "]
    text = "\n".join(lines) + "\n"
    mail = Mail(BUYER_ADDRESS, longest_values.text(300, longest_values.HAN), text, f"<p>{text}</p>\n", SELLER_ADDRESS)
    with server.running():
        message_id = send_by_smtp(server.port, mail, url=f"smtp://{REMOTE_HOST}:{{}}")

        [received] = server.wait_for_mails(BUYER_ADDRESS, 1)

    # A mail's lines end with CRLF.
    assert [part.get_content().replace("\r\n", "\n") for part in received.iter_parts()] == [mail.text, mail.html]
    assert (received["Subject"], received["Reply-To"]) == (mail.subject, SELLER_ADDRESS)
    assert received["Message-ID"] == message_id
    assert "TLS connection established" in server.log


def test_server_that_wants_tls_first_is_no_refusal_of_the_mail(server: Postfix) -> None:
    # To this machine itself, Foyer sends without TLS.
    with server.running(), pytest.raises(MailUnavailable, match=r"SMTP 530 5\.7\.0"):
        send_by_smtp(server.port, url="smtp://localhost:{}")


@on_sqlite
def test_recipient_that_postfix_refuses_fails_and_the_others_are_sent(app: Flask, server: Postfix) -> None:
    register_customer(app, email="nobody.of.that.name@gmail.com")
    with server.running():
        assert send_outbox_mails(app) == [True, True]

        assert len(server.wait_for_mails(SELLER_ADDRESS, 1)) == 1

    outcomes = {mail.type: (mail.outcome, mail.fault) for mail in mail_messages(app)}
    assert outcomes == {
        "buyer_registered": ("failed", "SMTP 550 5.1.1"),
        "seller_registered": ("delivered", None),
    }


@on_sqlite
def test_mail_waits_while_postfix_is_stopped(app: Flask, server: Postfix) -> None:
    register_customer(app)

    assert send_outbox_mails(app) == [False, False]

    assert {(mail.outcome, mail.fault) for mail in mail_messages(app)} == {("waiting", "ConnectionRefusedError")}
    with server.running(), time_passes(seconds=11):
        assert send_outbox_mails(app) == [True, True]
        assert len(server.wait_for_mails(BUYER_ADDRESS, 1)) == 1
        assert len(server.wait_for_mails(SELLER_ADDRESS, 1)) == 1
