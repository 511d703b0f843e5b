"""A fake mail server on this machine, which keeps the mails it receives."""

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
    """The server's handler: keeps each mail, or gives the reply that `replies` has for an SMTP command."""

    replies: dict[str, str] = field(default_factory=dict)
    drops_connection: bool = False
    envelopes: list[Envelope] = field(default_factory=list)
    used_tls: list[bool] = field(default_factory=list)

    # aiosmtpd calls these methods by name.
    async def handle_MAIL(self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:  # noqa: N802
        if "RCPT" not in self.replies:
            envelope.rcpt_tos.append(address)
        return self.replies.get("RCPT", "250 OK")

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.used_tls.append(session.ssl is not None)
        return self.replies.get("DATA", "250 OK")

    async def handle_QUIT(self, server: SMTP, _: Session, __: Envelope) -> str:  # noqa: N802
        """Answer QUIT, or drop the connection instead."""
        if self.drops_connection and isinstance(server.transport, WriteTransport):
            server.transport.abort()
        return "221 Bye"

    def only_message(self) -> EmailMessage:
        """Return the one mail received; fail if there are more or none."""
        return message_from_bytes(self.only_content(), policy=policy.default)

    def only_content(self) -> bytes:
        """Return the bytes of the one mail received."""
        [envelope] = self.envelopes
        assert isinstance(envelope.content, bytes)
        return envelope.content


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
