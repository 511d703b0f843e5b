"""Notices: what AWS Marketplace says in its notifications, on EventBridge and on SNS, in our words.

Follows https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html and
https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.errors import FoyerError

SOURCE = "aws.agreement-marketplace"
KINDS = frozenset(
    [
        *(
            f"Purchase Agreement {verb} - {party}"
            for verb in ("Created", "Amended", "Ended")
            for party in ("Proposer", "Manufacturer")
        ),
        "License Updated - Manufacturer",
        "License Deprovisioned - Manufacturer",
    ]
)
PARTIES = (" - Proposer", " - Manufacturer", " - Acceptor")
EARLIEST, LATEST = datetime(2012, 4, 19, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


class NotUnderstood(FoyerError):
    """A message is no notification from AWS Marketplace; `code` says what is wrong with it."""


def _storable(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("the time is not one of AWS Marketplace's")
    return moment


# PostgreSQL stores neither NUL nor half a surrogate pair, and no id of AWS's has a control character.
Text = Annotated[str, Field(pattern=r"^\P{Cc}+$", max_length=255)]
AgreementId = Annotated[str, Field(pattern=r"^\P{Cc}+$", max_length=64)]
Arn = Annotated[str, Field(pattern=r"^\P{Cc}+$", max_length=600)]
Moment = Annotated[AwareDatetime, AfterValidator(_storable)]
# What AWS does not populate may be left out, null or empty.
Maybe = BeforeValidator(lambda value: value or None)


class Told(BaseModel):
    """A part of a notification: what we read of it; whatever else AWS adds is kept with the whole."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Agreement(Told):
    """`detail.agreement`."""

    id: Annotated[AgreementId | None, Maybe] = None
    status: str | None = None
    start_time: Annotated[Moment | None, Maybe] = Field(default=None, alias="startTime")
    end_time: Annotated[Moment | None, Maybe] = Field(default=None, alias="endTime")
    previous_id: Annotated[AgreementId | None, Maybe] = Field(default=None, alias="previousAgreementId")


class Product(Told):
    """`detail.product`; agreements' events have the product's id at the most, not its code."""

    code: Annotated[Text | None, Maybe] = None


class License(Told):
    """`detail.license`; AWS's samples read `id`, its documentation shows `arn`."""

    arn: Annotated[Arn | None, Maybe] = None
    id: Annotated[Arn | None, Maybe] = None


class Acceptor(Told):
    """`detail.acceptor`: the AWS account that bought."""

    account_id: Annotated[Text | None, Maybe] = Field(default=None, alias="accountId")


class Detail(Told):
    """`detail` of an event on EventBridge."""

    agreement: Annotated[Agreement | None, Maybe] = None
    product: Annotated[Product | None, Maybe] = None
    license: Annotated[License | None, Maybe] = None
    acceptor: Annotated[Acceptor | None, Maybe] = None


class EventBridgeEvent(Told):
    """An event as EventBridge delivers it."""

    id: Text
    kind: Annotated[Text, Field(alias="detail-type", max_length=128)]
    source: Literal["aws.agreement-marketplace"]
    time: Moment
    detail: Detail


class SnsMessage(Told):
    """What AWS Marketplace publishes on a listing's topics."""

    action: Annotated[Text, Field(max_length=128)]
    product_code: Text = Field(alias="product-code")
    customer_identifier: Annotated[Text | None, Maybe] = Field(default=None, alias="customer-identifier")
    free_trial: str | bool | None = Field(default=None, alias="isFreeTrialTermPresent")


class SnsEnvelope(Told):
    """An SNS message as a queue gets it, unless raw delivery is on."""

    type: Literal["Notification"] = Field(alias="Type")
    id: Text = Field(alias="MessageId")
    time: Moment = Field(alias="Timestamp")
    message: str = Field(alias="Message")


@dataclass(frozen=True)
class Notice:
    """One notification: AWS's id of it, what it is, when that happened by AWS's clock, and what it is about."""

    aws_id: str
    channel: str
    kind: str
    happened_at: datetime
    body: dict[str, Any]
    product_code: str | None = None
    account_id: str | None = None
    customer_identifier: str | None = None
    license_arn: str | None = None
    agreement_id: str | None = None
    previous_agreement_id: str | None = None
    agreement_status: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    free_trial: bool | None = None

    @property
    def name(self) -> str:
        """The kind, whichever party of the agreement it was sent to."""
        return self.kind.removesuffix(next(filter(self.kind.endswith, PARTIES), ""))


def parse(text: str, message_id: str, sent_at: datetime) -> Notice:
    """Return the notification in a message: from EventBridge, or from SNS with its envelope or without (raw delivery).

    A message without SNS's envelope has neither id nor time of its own: it goes by the queue's.

    Raises:
        NotUnderstood: it is none of them.
    """
    return read(_object(text), message_id, sent_at)


def read(body: dict[str, Any], message_id: str, sent_at: datetime) -> Notice:
    """Do what `parse` does, with a message that has been read as JSON."""
    try:
        if "detail-type" in body:
            return _on_eventbridge(EventBridgeEvent.model_validate(body), body)
        if "Message" not in body:
            return _on_sns(SnsMessage.model_validate(body), message_id, sent_at, body)
        envelope = SnsEnvelope.model_validate(body)
        inner = _object(envelope.message)
        if "detail-type" in inner:
            return _on_eventbridge(EventBridgeEvent.model_validate(inner), body)
        return _on_sns(SnsMessage.model_validate(inner), envelope.id, envelope.time, body)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False))
        raise NotUnderstood("; ".join(faults)) from None


def _object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise NotUnderstood("It is not JSON.") from None
    if not isinstance(body, dict):
        raise NotUnderstood("It is not a JSON object.")
    return body


def _on_eventbridge(event: EventBridgeEvent, body: dict[str, Any]) -> Notice:
    agreement = event.detail.agreement or Agreement()
    license_ = event.detail.license or License()
    return Notice(
        aws_id=event.id,
        channel="eventbridge",
        kind=event.kind,
        happened_at=event.time,
        body=body,
        product_code=event.detail.product.code if event.detail.product else None,
        account_id=event.detail.acceptor.account_id if event.detail.acceptor else None,
        license_arn=license_.arn or license_.id,
        agreement_id=agreement.id,
        # An agreement that is said to follow itself would never end.
        previous_agreement_id=agreement.previous_id if agreement.previous_id != agreement.id else None,
        agreement_status=agreement.status,
        starts_at=agreement.start_time,
        ends_at=agreement.end_time,
    )


def _on_sns(message: SnsMessage, aws_id: str, time: datetime, body: dict[str, Any]) -> Notice:
    return Notice(
        aws_id=aws_id,
        channel="sns",
        kind=message.action,
        happened_at=time,
        body=body,
        product_code=message.product_code,
        customer_identifier=message.customer_identifier,
        # AWS sends the word, not the truth value.
        free_trial=None if message.free_trial is None else str(message.free_trial).lower() == "true",
    )
