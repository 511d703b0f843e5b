"""Mails in tests: sent through a mail server, whose clerk keeps them, and read there."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from flask import Flask

from tests import factories, post
from tests.post import Post
from tests.promised import mail_all, mails

BUYER, SELLER = "ada@gmail.com", "sales@acme.example"


def letters(clerk: Post) -> list[EmailMessage]:
    """Return the letters that came since the last time."""
    contents = [kept.content for kept in clerk.envelopes]
    came = [message_from_bytes(content, policy=policy.default) for content in contents if isinstance(content, bytes)]
    clerk.envelopes.clear()
    return came


def text(letter: EmailMessage) -> str:
    """Return a letter's text on one line."""
    body = letter.get_body(("plain",))
    assert body
    return " ".join(body.get_content().split())


def sent(app: Flask, clerk: Post) -> dict[str, EmailMessage]:
    """Send what is due, and return each letter by its name."""
    waiting = {str(mail.id): mail.type for mail in mails(app) if mail.outcome == "waiting"}
    assert set(mail_all(app)) <= {True}
    return {waiting[letter["Message-ID"][1:].partition("@")[0]]: letter for letter in letters(clerk)}


def addressees(sent_: dict[str, EmailMessage]) -> dict[str, str]:
    return {name: str(letter["To"]) for name, letter in sent_.items()}


@contextmanager
def by_clerk(environment: pytest.MonkeyPatch, clerk: Post) -> Iterator[pytest.MonkeyPatch]:
    """Yield a seller's environment with the clerk's mail server, and a product that takes hand-offs."""
    factories.hand_off(environment)
    with post.server(clerk, server_hostname="mail.acme.example") as port:
        environment.setenv("MAIL_FROM", "Acme <start@acme.example>")
        environment.setenv("PRODUCT_NOTIFY_EMAIL", SELLER)
        environment.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        yield environment
