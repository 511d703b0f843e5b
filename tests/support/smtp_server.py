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

from tests.support.ports import free_port


@dataclass
class FakeSmtpServer:
    """A mail server's clerk: keeps what comes, or gives the answer that it was told to."""

    replies: dict[str, str] = field(default_factory=dict)
    drops_connection: bool = False
    envelopes: list[Envelope] = field(default_factory=list)
    used_tls: list[bool] = field(default_factory=list)

    # The names are those that aiosmtpd looks for.
    async def handle_MAIL(self, _: SMTP, __: Session, kept: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        """Take the sender's address."""
        kept.mail_from = address
        kept.mail_options.extend(options)
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(self, _: SMTP, __: Session, kept: Envelope, address: str, ___: list[str]) -> str:  # noqa: N802
        """Take the address of whom the mail is for."""
        if "RCPT" not in self.replies:
            kept.rcpt_tos.append(address)
        return self.replies.get("RCPT", "250 OK")

    async def handle_DATA(self, _: SMTP, session: Session, kept: Envelope) -> str:  # noqa: N802
        """Take the mail."""
        self.envelopes.append(kept)
        self.used_tls.append(session.ssl is not None)
        return self.replies.get("DATA", "250 OK")

    async def handle_QUIT(self, server: SMTP, _: Session, __: Envelope) -> str:  # noqa: N802
        """Say good-bye, or hang up instead."""
        if self.drops_connection and isinstance(server.transport, WriteTransport):
            server.transport.abort()
        return "221 Bye"

    def only_message(self) -> EmailMessage:
        """Return the one message that came."""
        return message_from_bytes(self.only_content(), policy=policy.default)

    def only_content(self) -> bytes:
        """Return the one message that came, as it travelled."""
        [kept] = self.envelopes
        assert isinstance(kept.content, bytes)
        return kept.content


@contextmanager
def serve_smtp(smtp_server: FakeSmtpServer, **options: Any) -> Iterator[int]:
    """Run a mail server and yield its port."""
    port = free_port()
    controller = Controller(smtp_server, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()
