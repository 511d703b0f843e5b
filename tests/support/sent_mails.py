"""Mails in tests: sent through a mail server, whose clerk keeps them, and read there."""

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
    """Return the letters that came since the last time."""
    contents = [kept.content for kept in server.envelopes]
    came = [message_from_bytes(content, policy=policy.default) for content in contents if isinstance(content, bytes)]
    server.envelopes.clear()
    return came


def text_of(mail: EmailMessage) -> str:
    """Return a letter's text on one line."""
    body = mail.get_body(("plain",))
    assert body
    return " ".join(body.get_content().split())


def send_due_mails(app: Flask, server: FakeSmtpServer) -> dict[str, EmailMessage]:
    """Send what is due, and return each letter by its name."""
    waiting = {str(mail.id): mail.type for mail in mail_messages(app) if mail.outcome == "waiting"}
    assert set(send_outbox_mails(app)) <= {True}
    return {waiting[letter["Message-ID"][1:].partition("@")[0]]: letter for letter in take_received_mails(server)}


def recipients_by_type(mails: dict[str, EmailMessage]) -> dict[str, str]:
    return {name: str(letter["To"]) for name, letter in mails.items()}


@contextmanager
def mail_environment(environment: pytest.MonkeyPatch, server: FakeSmtpServer) -> Iterator[pytest.MonkeyPatch]:
    """Yield a seller's environment with the clerk's mail server, and a product that takes hand-offs."""
    factories.enable_handoffs(environment)
    with smtp_server.serve_smtp(server, server_hostname="mail.acme.example") as port:
        environment.setenv("MAIL_FROM", "Acme <start@acme.example>")
        environment.setenv("PRODUCT_NOTIFY_EMAIL", SELLER_ADDRESS)
        environment.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        yield environment
