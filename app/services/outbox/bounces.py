"""Bounces: records on a mail in the outbox that SES could not deliver it, or that its reader called it spam.

EventBridge puts SES's events into the same queue as AWS Marketplace's.

Follows https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html, whose `detail` is that of
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

import re
from typing import Annotated, Literal
from uuid import UUID

import structlog
from pydantic import AliasPath, AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError
from sqlalchemy import Connection, bindparam, case, or_, update

from app.database.rows import parse_uuid
from app.database.transactions import after_commit, transaction
from app.mail.ses import OUTBOX_ID_TAG
from app.models import OutboxMessage

log = structlog.get_logger()

SesEventKind = Literal["Email Bounced", "Email Complaint Received", "Email Rejected", "Email Rendering Failed"]
CODE_PATTERN = re.compile(r"[A-Za-z-]{1,30}")
MAX_REASON_LENGTH = 64
# Only a code of AWS's own is stored: the text of a mail server may repeat the address.
AwsCode = Annotated[
    str | None, BeforeValidator(lambda code: code if isinstance(code, str) and CODE_PATTERN.fullmatch(code) else None)
]
# SES may report a bounce before the worker has stored SES's id of the mail: then our own id finds it.
IS_REPORTED = or_(OutboxMessage.provider_id == bindparam("ses_id"), OutboxMessage.id == bindparam("tagged_id"))
# What SES reports first may be an automatic reply or a full mailbox, and the final word comes later: the worse stands.
TRANSIENT, UNDETERMINED, COMPLAINT = "Transient", "Undetermined", "Complaint"
STORED_RANK = case(
    (OutboxMessage.bounced_at.is_(None), 0),
    (OutboxMessage.bounce.startswith(TRANSIENT), 1),
    (OutboxMessage.bounce.startswith(UNDETERMINED), 2),
    (OutboxMessage.bounce.startswith(COMPLAINT), 4),
    else_=3,
)
MARK_BOUNCED = update(OutboxMessage).where(IS_REPORTED, bindparam("rank") > STORED_RANK).returning(OutboxMessage.id)


class Bounce(BaseModel):
    """An event of SES on EventBridge: a mail bounced, was rejected, or was marked as spam.

    `bounce` and `complaint` keep only codes: the rest becomes None.
    """

    source: Literal["aws.ses"]
    kind: SesEventKind = Field(alias="detail-type")
    bounced_at: AwareDatetime = Field(alias="time")
    provider_id: str = Field(
        validation_alias=AliasPath("detail", "mail", "messageId"), pattern=r"^[!-~]+$", max_length=255
    )
    # Needs a configuration set. app/mail/ses.py sends our id as a tag with each mail, and SES returns it.
    tags: dict[str, list[str]] = Field({}, validation_alias=AliasPath("detail", "mail", "tags"))
    bounce: dict[str, AwsCode] = Field({}, validation_alias=AliasPath("detail", "bounce"))
    complaint: dict[str, AwsCode] = Field({}, validation_alias=AliasPath("detail", "complaint"))

    @property
    def outbox_id(self) -> UUID | None:
        """Our own id of the mail, None where SES did not return `OUTBOX_ID_TAG`."""
        return parse_uuid(next(iter(self.tags.get(OUTBOX_ID_TAG, [])), ""))

    @property
    def reason(self) -> str:
        """Why the mail did not reach its reader, made of AWS's codes."""
        codes = {
            "Email Bounced": (self.bounce.get("bounceType") or "Bounced", self.bounce.get("bounceSubType")),
            "Email Complaint Received": ("Complaint", self.complaint.get("complaintFeedbackType")),
            "Email Rejected": ("Rejected",),
            "Email Rendering Failed": ("RenderingFailed",),
        }
        return "/".join(filter(None, codes[self.kind]))[:MAX_REASON_LENGTH]

    @property
    def rank(self) -> int:
        """How final it is: 1 may pass, 2 is not known, 3 is for good, 4 is a complaint, which nothing takes back."""
        first = self.reason.partition("/")[0]
        return {TRANSIENT: 1, UNDETERMINED: 2, COMPLAINT: 4}.get(first, 3)


def parse(body: object) -> Bounce | None:
    """Return the bounce that a message's JSON reports; None where it reports anything else."""
    try:
        return Bounce.model_validate(body)
    except ValidationError:
        return None


@transaction
def record(connection: Connection, bounce: Bounce) -> bool:
    """Record the bounce on its mail, and return whether the mail is ours and had no bounce that weighs as much."""
    keys = {"ses_id": bounce.provider_id, "tagged_id": bounce.outbox_id}
    values = {"bounced_at": bounce.bounced_at, "bounce": bounce.reason, "rank": bounce.rank}
    mail_ids = connection.scalars(MARK_BOUNCED, {**keys, **values}).all()
    for mail_id in mail_ids:
        log_line = log.info if bounce.rank == 1 else log.warning
        after_commit(log_line, "mail.bounced", mail=str(mail_id), kind=bounce.kind, reason=bounce.reason)
    return bool(mail_ids)
