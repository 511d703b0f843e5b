"""The inbox: every mail that the app sends through SES, kept until the sandbox stops and shown instead of delivered."""

import threading
from datetime import UTC, datetime
from email.header import decode_header, make_header
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

from sandbox.purchases import SELLER_ACCOUNT_ID

REGION = "us-east-1"


class UnknownLetter(LookupError):
    """The inbox holds no such letter."""


class Letter(BaseModel):
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
    def written_by(self) -> str:
        """The sender as a mail program shows it."""
        return str(make_header(decode_header(self.sender)))

    @property
    def framed(self) -> str:
        """The HTML for a frame on the page, from which links open in a tab of their own."""
        return self.html.replace("<head>", '<head><base target="_blank">', 1)


class Inbox:
    """Letters in the order they came, safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._letters: list[Letter] = []

    @property
    def letters(self) -> list[Letter]:
        """Every letter, the latest first."""
        return self._letters[::-1]

    def take(self, asked: dict[str, Any]) -> Letter:
        """Keep the mail of a SendEmail request.

        Follows https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
        """
        message = asked["Content"]["Simple"]
        with self._lock:
            letter = Letter(
                number=len(self._letters) + 1,
                id=f"0100{uuid4().hex[:12]}-{uuid4()}-000000",
                sent_at=datetime.now(UTC),
                sender=asked["FromEmailAddress"],
                to=asked["Destination"]["ToAddresses"],
                reply_to=asked.get("ReplyToAddresses", []),
                subject=message["Subject"]["Data"],
                text=message["Body"].get("Text", {}).get("Data", ""),
                html=message["Body"].get("Html", {}).get("Data", ""),
                headers={header["Name"]: header["Value"] for header in message.get("Headers", [])},
                tags={tag["Name"]: tag["Value"] for tag in asked.get("EmailTags", [])},
                configuration_set=asked.get("ConfigurationSetName"),
            )
            self._letters.append(letter)
        return letter

    def letter(self, number: int) -> Letter:
        """Return one letter.

        Raises:
            UnknownLetter: there is none with that number.
        """
        found = next((letter for letter in self._letters if letter.number == number), None)
        if found is None:
            raise UnknownLetter(number)
        return found

    def bounce(self, number: int) -> dict[str, Any]:
        """Let the letter bounce, and return the event that tells of it.

        Raises:
            UnknownLetter: there is none with that number.
        """
        with self._lock:
            letter = self.letter(number)
            letter.bounced = True
        return bounced(letter, datetime.now(UTC))

    def forget(self) -> None:
        """Throw every letter away."""
        with self._lock:
            self._letters = []


def bounced(letter: Letter, at: datetime) -> dict[str, Any]:
    """Return what EventBridge carries of a letter whose address does not exist.

    Follows https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
    """
    # SES adds this one by itself.
    tags = {"ses:configuration-set": letter.configuration_set or "none", **letter.tags}
    recipients = [{"emailAddress": to, "action": "failed", "status": "5.1.1"} for to in letter.to]
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "account": SELLER_ACCOUNT_ID,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:ses:{REGION}:{SELLER_ACCOUNT_ID}:configuration-set/{letter.configuration_set}"],
        "detail": {
            "eventType": "Bounce",
            "bounce": {
                "feedbackId": str(uuid4()),
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": recipients,
                "timestamp": _spelt(at),
                "reportingMTA": "dns; mta.example",
            },
            "mail": {
                "timestamp": _spelt(letter.sent_at),
                "source": letter.sender,
                "sendingAccountId": SELLER_ACCOUNT_ID,
                "messageId": letter.id,
                "destination": letter.to,
                "tags": {name: [value] for name, value in tags.items()},
            },
        },
    }


def _spelt(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
