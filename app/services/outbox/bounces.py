"""Bounces: records on a mail in the outbox that SES could not deliver it, or that its reader called it spam.

EventBridge puts SES's events into the same queue as AWS Marketplace's.

Follows https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html, whose `detail` is that of
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import structlog
from pydantic import AliasPath, AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError
from sqlalchemy import Connection, bindparam, or_, update

from app.database.transactions import after_commit, transaction
from app.models import OutboxMessage

log = structlog.get_logger()

SesEventKind = Literal["Email Bounced", "Email Complaint Received", "Email Rejected", "Email Rendering Failed"]
CODE_PATTERN = re.compile(r"[A-Za-z-]{1,30}")
MAX_REASON_LENGTH = 64
# Only a code of AWS's own is stored: the text of a mail server may repeat the address.
AwsCode = Annotated[
    str | None, BeforeValidator(lambda code: code if isinstance(code, str) and CODE_PATTERN.fullmatch(code) else None)
]
MARK_BOUNCED = (
    update(OutboxMessage)
    .where(
        # SES may report a bounce before the worker has stored SES's id of the mail: then our own id finds it.
        or_(OutboxMessage.provider_id == bindparam("ses_id"), OutboxMessage.id == bindparam("tagged_id")),
        OutboxMessage.bounced_at.is_(None),
    )
    .returning(OutboxMessage.id)
)


class SesDetail(BaseModel):
    """The `detail` of an event. Of `bounce` and `complaint` only codes are read: other members become None."""

    mail_id: str = Field(validation_alias=AliasPath("mail", "messageId"), pattern=r"^[!-~]+$", max_length=255)
    # Needs a configuration set. app/mail/ses.py sends our id as a tag with each mail, and SES returns it.
    tags: dict[str, list[str]] = Field({}, validation_alias=AliasPath("mail", "tags"))
    bounce: dict[str, AwsCode] = {}
    complaint: dict[str, AwsCode] = {}


class SesEvent(BaseModel):
    """An event of SES, as EventBridge delivers it."""

    source: Literal["aws.ses"]
    kind: SesEventKind = Field(alias="detail-type")
    time: AwareDatetime
    detail: SesDetail


@dataclass(frozen=True)
class Bounce:
    """What SES reports of a mail that bounced, was rejected, or was marked as spam.

    `provider_id` is SES's id of the mail and `outbox_id` is ours, None where SES did not return `OUTBOX_ID_TAG`.
    `reason` is made of AWS's codes.
    """

    provider_id: str
    outbox_id: UUID | None
    kind: str
    reason: str
    bounced_at: datetime


def parse(body: object) -> Bounce | None:
    """Return the bounce that a message's JSON reports; None where it reports anything else."""
    try:
        event = SesEvent.model_validate(body)
    except ValidationError:
        return None
    reason = "/".join(filter(None, _reason_codes(event)))[:MAX_REASON_LENGTH]
    return Bounce(event.detail.mail_id, _outbox_id(event.detail.tags), event.kind, reason, event.time)


@transaction
def record(connection: Connection, bounce: Bounce) -> bool:
    """Record the bounce on its mail, and return whether the mail is ours and had no bounce before.

    Raises:
        DatabaseUnavailable: it is not recorded, and SQS delivers the message again.
    """
    keys = {"ses_id": bounce.provider_id, "tagged_id": bounce.outbox_id}
    values = {"bounced_at": bounce.bounced_at, "bounce": bounce.reason}
    mail_ids = connection.scalars(MARK_BOUNCED, {**keys, **values}).all()
    for mail_id in mail_ids:
        after_commit(log.warning, "mail.bounced", mail=str(mail_id), kind=bounce.kind, reason=bounce.reason)
    return bool(mail_ids)


def _reason_codes(event: SesEvent) -> tuple[str | None, ...]:
    bounce, complaint = event.detail.bounce, event.detail.complaint
    match event.kind:
        case "Email Bounced":
            return bounce.get("bounceType") or "Bounced", bounce.get("bounceSubType")
        case "Email Complaint Received":
            return "Complaint", complaint.get("complaintFeedbackType")
        case "Email Rejected":
            return ("Rejected",)
    return ("RenderingFailed",)


def _outbox_id(tags: dict[str, list[str]]) -> UUID | None:
    try:
        return UUID(tags["foyer-outbox"][0])
    except (KeyError, IndexError, ValueError):
        return None
