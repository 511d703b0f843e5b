"""A mail server on this machine, and what it was handed."""

from asyncio import WriteTransport
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.ports import free_port


@dataclass
class Post:
    """A mail server's clerk: keeps what comes, or gives the answer that it was told to."""

    answers: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False
    envelopes: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    # The names are those that aiosmtpd looks for.
    async def handle_MAIL(self, _: SMTP, __: Session, kept: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        """Take the sender's address."""
        kept.mail_from = address
        kept.mail_options.extend(options)
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, _: SMTP, __: Session, kept: Envelope, address: str, ___: list[str]) -> str:  # noqa: N802
        """Take the address of whom the mail is for."""
        if "RCPT" not in self.answers:
            kept.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, _: SMTP, session: Session, kept: Envelope) -> str:  # noqa: N802
        """Take the mail."""
        self.envelopes.append(kept)
        self.encrypted.append(session.ssl is not None)
        return self.answers.get("DATA", "250 OK")

    async def handle_QUIT(self, server: SMTP, _: Session, __: Envelope) -> str:  # noqa: N802
        """Say good-bye, or hang up instead."""
        if self.hangs_up and isinstance(server.transport, WriteTransport):
            server.transport.abort()
        return "221 Bye"

    def message(self) -> EmailMessage:
        """Return the one message that came."""
        return message_from_bytes(self.content(), policy=policy.default)

    def content(self) -> bytes:
        """Return the one message that came, as it travelled."""
        [kept] = self.envelopes
        assert isinstance(kept.content, bytes)
        return kept.content


@contextmanager
def server(post: Post, **options: Any) -> Iterator[int]:
    """Run a mail server and yield its port."""
    port = free_port()
    controller = Controller(post, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()
