"""The inbox: every mail that the app sends through SES, kept until the sandbox stops and shown instead of delivered."""

import threading
from datetime import UTC, datetime
from email.header import decode_header, make_header
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from sandbox.purchases import SELLER_ACCOUNT_ID

REGION = "us-east-1"


class UnknownMail(LookupError):
    """The inbox holds no such letter."""


class InboxMail(BaseModel):
    """One mail as SES was asked to send it. `number` counts from 1, the oldest."""

    number: int
    id: str
    sent_at: datetime
    sender: str
    to: list[str]
    reply_to: list[str]
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    tags: dict[str, str]
    configuration_set: str | None
    bounced: bool = False

    @property
    def sender_name(self) -> str:
        """The sender as a mail program shows it."""
        return str(make_header(decode_header(self.sender)))

    @property
    def html_for_frame(self) -> str:
        """The HTML for a frame on the page, from which links open in a tab of their own."""
        return self.html.replace("<head>", '<head><base target="_blank">', 1)


class Inbox:
    """Letters in the order they came, safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mails: list[InboxMail] = []

    @property
    def mails(self) -> list[InboxMail]:
        """Every letter, the latest first."""
        return self._mails[::-1]

    def store(self, request: dict[str, Any]) -> InboxMail:
        """Keep the mail of a SendEmail request.

        Follows https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
        """
        message = request["Content"]["Simple"]
        with self._lock:
            letter = InboxMail(
                number=len(self._mails) + 1,
                id=f"0100{uuid4().hex[:12]}-{uuid4()}-000000",
                sent_at=datetime.now(UTC),
                sender=request["FromEmailAddress"],
                to=request["Destination"]["ToAddresses"],
                reply_to=request.get("ReplyToAddresses", []),
                subject=message["Subject"]["Data"],
                text=message["Body"].get("Text", {}).get("Data", ""),
                html=message["Body"].get("Html", {}).get("Data", ""),
                headers={header["Name"]: header["Value"] for header in message.get("Headers", [])},
                tags={tag["Name"]: tag["Value"] for tag in request.get("EmailTags", [])},
                configuration_set=request.get("ConfigurationSetName"),
            )
            self._mails.append(letter)
        return letter

    def get_mail(self, number: int) -> InboxMail:
        """Return one letter.

        Raises:
            UnknownLetter: there is none with that number.
        """
        found = next((letter for letter in self._mails if letter.number == number), None)
        if found is None:
            raise UnknownMail(number)
        return found

    def bounce(self, number: int) -> dict[str, Any]:
        """Let the letter bounce, and return the event that tells of it.

        Raises:
            UnknownLetter: there is none with that number.
        """
        with self._lock:
            letter = self.get_mail(number)
            letter.bounced = True
        return bounce_event(letter, datetime.now(UTC))

    def clear(self) -> None:
        """Throw every letter away."""
        with self._lock:
            self._mails = []


def bounce_event(mail: InboxMail, at: datetime) -> dict[str, Any]:
    """Return what EventBridge carries of a letter whose address does not exist.

    Follows https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
    """
    # SES adds this one by itself.
    tags = {"ses:configuration-set": mail.configuration_set or "none", **mail.tags}
    recipients = [{"emailAddress": to, "action": "failed", "status": "5.1.1"} for to in mail.to]
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "account": SELLER_ACCOUNT_ID,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:ses:{REGION}:{SELLER_ACCOUNT_ID}:configuration-set/{mail.configuration_set}"],
        "detail": {
            "eventType": "Bounce",
            "bounce": {
                "feedbackId": str(uuid4()),
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": recipients,
                "timestamp": _format_time(at),
                "reportingMTA": "dns; mta.example",
            },
            "mail": {
                "timestamp": _format_time(mail.sent_at),
                "source": mail.sender,
                "sendingAccountId": SELLER_ACCOUNT_ID,
                "messageId": mail.id,
                "destination": mail.to,
                "tags": {name: [value] for name, value in tags.items()},
            },
        },
    }


def _format_time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
