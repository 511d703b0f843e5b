"""Sends the mails of the outbox to a fake mail server, and reads them there."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from flask import Flask

from tests.support import factories, smtp_server
from tests.support.outbox_messages import mail_messages, send_outbox_mails
from tests.support.smtp_server import FakeSmtpServer

BUYER_ADDRESS, SELLER_ADDRESS = "ada@gmail.com", "sales@acme.example"


def take_received_mails(server: FakeSmtpServer) -> list[EmailMessage]:
    """Return the mails received since the last call."""
    contents = [envelope.content for envelope in server.envelopes]
    mails = [message_from_bytes(content, policy=policy.default) for content in contents if isinstance(content, bytes)]
    server.envelopes.clear()
    return mails


def text_of(mail: EmailMessage) -> str:
    """Return a mail's plain text, on one line."""
    body = mail.get_body(("plain",))
    assert body
    return " ".join(body.get_content().split())


def send_due_mails(app: Flask, server: FakeSmtpServer) -> dict[str, EmailMessage]:
    """Send the due mails; return them by type."""
    types = {str(mail.id): mail.type for mail in mail_messages(app) if mail.outcome == "waiting"}
    assert set(send_outbox_mails(app)) <= {True}
    return {types[mail["Message-ID"][1:].partition("@")[0]]: mail for mail in take_received_mails(server)}


def recipients_by_type(mails: dict[str, EmailMessage]) -> dict[str, str]:
    return {name: str(mail["To"]) for name, mail in mails.items()}


@contextmanager
def mail_environment(environment: pytest.MonkeyPatch, server: FakeSmtpServer) -> Iterator[pytest.MonkeyPatch]:
    """Add a mail server and hand-offs to the seller's environment, and yield it."""
    factories.enable_handoffs(environment)
    with smtp_server.serve_smtp(server, server_hostname="mail.acme.example") as port:
        environment.setenv("MAIL_FROM", "Acme <start@acme.example>")
        environment.setenv("PRODUCT_NOTIFY_EMAIL", SELLER_ADDRESS)
        environment.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        yield environment
