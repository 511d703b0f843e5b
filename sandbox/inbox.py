"""The inbox: stores every mail that the app sends through SES until the sandbox stops. Nothing is delivered."""

import threading
from datetime import UTC, datetime
from email.header import decode_header, make_header
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from sandbox.events import format_milliseconds, format_seconds
from sandbox.seller_account import REGION, SELLER_ACCOUNT_ID


class UnknownMail(LookupError):
    """The inbox has no mail with that number."""


class SentMail(BaseModel):
    """One mail as the app passed it to SES. `to` has all recipients, those of copies included."""

    sender: str
    to: list[str]
    reply_to: list[str]
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    tags: dict[str, str]
    configuration_set: str | None


class InboxMail(SentMail):
    """A mail in the inbox. `number` counts from 1, the oldest."""

    number: int
    id: str
    sent_at: datetime
    bounced: bool = False

    @property
    def sender_name(self) -> str:
        """The sender as a mail program shows it."""
        return str(make_header(decode_header(self.sender)))

    @property
    def html_for_frame(self) -> str:
        """The HTML for a frame on the page; its links open in a new tab."""
        return self.html.replace("<head>", '<head><base target="_blank">', 1)


class Inbox:
    """Mails in the order they were sent. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mails: list[InboxMail] = []

    @property
    def mails(self) -> list[InboxMail]:
        """Every mail, latest first."""
        return self._mails[::-1]

    def store(self, sent: SentMail) -> InboxMail:
        """Store the mail, and return it with SES's id of it."""
        with self._lock:
            mail = InboxMail(
                number=len(self._mails) + 1,
                id=f"0100{uuid4().hex[:12]}-{uuid4()}-000000",
                sent_at=datetime.now(UTC),
                **sent.model_dump(),
            )
            self._mails.append(mail)
        return mail

    def get_mail(self, number: int) -> InboxMail:
        """Return one mail.

        Raises:
            UnknownMail: there is none with that number.
        """
        for mail in self._mails:
            if mail.number == number:
                return mail
        raise UnknownMail(number)

    def bounce(self, number: int) -> dict[str, Any]:
        """Mark a mail as bounced, and return the bounce event of SES.

        Raises:
            UnknownMail: there is none with that number.
        """
        with self._lock:
            mail = self.get_mail(number)
            mail.bounced = True
        return bounce_event(mail, datetime.now(UTC))

    def clear(self) -> None:
        """Delete every mail."""
        with self._lock:
            self._mails = []


def bounce_event(mail: InboxMail, at: datetime) -> dict[str, Any]:
    """Return the EventBridge event of a mail whose address does not exist.

    Follows https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
    """
    # SES adds the configuration set to the tags itself.
    tags = {"ses:configuration-set": mail.configuration_set or "none", **mail.tags}
    recipients = [{"emailAddress": to, "action": "failed", "status": "5.1.1"} for to in mail.to]
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "account": SELLER_ACCOUNT_ID,
        "time": format_seconds(at),
        "region": REGION,
        "resources": [f"arn:aws:ses:{REGION}:{SELLER_ACCOUNT_ID}:configuration-set/{mail.configuration_set}"],
        "detail": {
            "eventType": "Bounce",
            "bounce": {
                "feedbackId": str(uuid4()),
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": recipients,
                "timestamp": format_milliseconds(at),
                "reportingMTA": "dns; mta.example",
            },
            "mail": {
                "timestamp": format_milliseconds(mail.sent_at),
                "source": mail.sender,
                "sendingAccountId": SELLER_ACCOUNT_ID,
                "messageId": mail.id,
                "destination": mail.to,
                "tags": {name: [value] for name, value in tags.items()},
            },
        },
    }
