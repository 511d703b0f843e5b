"""Bounces: what SES says of mails that reached nobody, as EventBridge puts it into the events' queue.

Follows https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html, whose `detail` is that of
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import structlog
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, or_, update

from app.database.transactions import transaction
from app.models import OutboxMessage

log = structlog.get_logger()

SesEventKind = Literal["Email Bounced", "Email Complaint Received", "Email Rejected", "Email Rendering Failed"]
REASON_PATTERN = re.compile(r"[A-Za-z-]{1,30}")
MAX_REASON_LENGTH = 64
# As app/aws/ses.py sends it along.
OUTBOX_ID_TAG = "foyer-outbox"

# One of AWS's own words, not what a mail server said: that may repeat the address.
ReasonCode = Annotated[str | None, BeforeValidator(lambda word: word if REASON_PATTERN.fullmatch(str(word)) else None)]


class SesModel(BaseModel):
    """A part of an event: what we read of it. Whom the mail was for is in it as well, and is not kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SesMail(SesModel):
    """`detail.mail`; its tags are there where the mail went by a configuration set."""

    id: str = Field(alias="messageId", pattern=r"^[!-~]+$", max_length=255)
    tags: dict[str, list[str]] = {}


class SesBounce(SesModel):
    """`detail.bounce`."""

    type: ReasonCode = Field(default=None, alias="bounceType")
    sub_type: ReasonCode = Field(default=None, alias="bounceSubType")


class SesComplaint(SesModel):
    """`detail.complaint`."""

    type: ReasonCode = Field(default=None, alias="complaintFeedbackType")


class SesDetail(SesModel):
    """`detail`."""

    mail: SesMail
    bounce: SesBounce = SesBounce()
    complaint: SesComplaint = SesComplaint()


class SesEvent(SesModel):
    """An event of SES's as EventBridge delivers it."""

    source: Literal["aws.ses"]
    kind: SesEventKind = Field(alias="detail-type")
    time: AwareDatetime
    detail: SesDetail


@dataclass(frozen=True)
class Bounce:
    """A mail that did not come where it should: what happened to it, why in AWS's words, and when.

    `provider_id` is SES's id of it, `outbox_id` ours where it came back.
    """

    provider_id: str
    outbox_id: UUID | None
    kind: str
    reason: str
    bounced_at: datetime


def parse(body: str) -> Bounce | None:
    """Return what SES says of a mail that did not arrive; None where the message says nothing of the kind."""
    try:
        event = SesEvent.model_validate_json(body)
    except ValidationError:
        return None
    sent, words = event.detail.mail, _reason_parts(event)
    reason = "/".join(word for word in words if word)[:MAX_REASON_LENGTH]
    return Bounce(sent.id, _outbox_id(sent), event.kind, reason, event.time)


def record(bounce: Bounce) -> bool:
    """Record on the mail in the outbox what became of it, and return whether it is one of ours; the first word stands.

    Raises:
        DatabaseUnavailable: it is not recorded.
    """
    found = _record(bounce)
    for outbox_id in found:
        log.warning("mail.bounced", mail=str(outbox_id), kind=bounce.kind, reason=bounce.reason)
    return bool(found)


@transaction
def _record(connection: Connection, bounce: Bounce) -> list[UUID]:
    # SES may be quicker to tell of the mail than the worker is to note the id that SES gave it.
    ours = or_(OutboxMessage.provider_id == bounce.provider_id, OutboxMessage.id == bounce.outbox_id)
    unheard = update(OutboxMessage).where(ours, OutboxMessage.bounced_at.is_(None))
    told = unheard.values(bounced_at=bounce.bounced_at, bounce=bounce.reason)
    return list(connection.scalars(told.returning(OutboxMessage.id)))


def _reason_parts(event: SesEvent) -> tuple[str | None, ...]:
    match event.kind:
        case "Email Bounced":
            return event.detail.bounce.type or "Bounced", event.detail.bounce.sub_type
        case "Email Complaint Received":
            return "Complaint", event.detail.complaint.type
        case "Email Rejected":
            return ("Rejected",)
    return ("RenderingFailed",)


def _outbox_id(ses_mail: SesMail) -> UUID | None:
    try:
        return UUID(ses_mail.tags.get(OUTBOX_ID_TAG, [""])[0])
    except (ValueError, IndexError):
        return None
