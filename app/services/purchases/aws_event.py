"""AWS Marketplace's events, from EventBridge and from SNS, parsed into one class of our own.

Follows https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html and
https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel

from app.aws.event_kinds import PARTY_SUFFIXES
from app.aws.fields import EARLIEST_TIME, NO_END
from app.errors import FoyerError


class InvalidEvent(FoyerError):
    """The message is not an event of AWS Marketplace; `code` says which field is wrong, and why."""


T = TypeVar("T")


def _drop_invalid(value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Return None in place of an optional value that cannot be read, and add its name to the list in the context."""
    # AWS leaves out a field without a value, or sends it null or empty.
    if not value:
        return None
    try:
        return read(value)
    except ValidationError:
        cast(list[str], info.context).append(to_camel(str(info.field_name)))
        return None


def _account_id(value: Any) -> Any:
    """Return an AWS account id that was sent as a number with its 12 digits."""
    return f"{value:012d}" if type(value) is int else value


def _in_utc(at: datetime) -> datetime:
    """Return the time; one that names no zone is in UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _check_time(at: datetime) -> datetime:
    if not EARLIEST_TIME <= at < NO_END:
        raise ValueError("it is before AWS Marketplace began, or too far ahead")
    return at


# PostgreSQL stores neither NUL nor half a surrogate pair, and AWS's ids have no control characters. AWS's page on SNS
# prints an id with a blank before it.
AwsText = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^\P{Cc}+$", max_length=255)]
AgreementId = Annotated[AwsText, StringConstraints(max_length=64)]
Arn = Annotated[AwsText, StringConstraints(max_length=600)]
AwsTime = Annotated[datetime, AfterValidator(_in_utc), AfterValidator(_check_time)]
EndTime = Annotated[
    datetime, AfterValidator(_in_utc), AfterValidator(lambda at: _check_time(at) if at < NO_END else None)
]
# For all but the id, the kind and the time of a message: access must not depend on a detail that Foyer can do without.
OrNone = Annotated[T | None, WrapValidator(_drop_invalid)]


class AwsModel(BaseModel):
    """The fields of an event that Foyer reads. The others are ignored here and stored with the whole body."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class AwsAgreement(AwsModel):
    """`detail.agreement`."""

    id: OrNone[AgreementId] = None
    status: OrNone[AwsText] = None
    start_time: OrNone[AwsTime] = None
    end_time: OrNone[EndTime] = None
    previous_agreement_id: OrNone[AgreementId] = None


class AwsProduct(AwsModel):
    """`detail.product`. An agreement's event has at most the product's id, never its code."""

    code: OrNone[AwsText] = None


class AwsLicense(AwsModel):
    """`detail.license`. AWS's sample code reads `id`, its documentation shows `arn`."""

    arn: OrNone[Arn] = None
    id: OrNone[Arn] = None


class AwsAcceptor(AwsModel):
    """`detail.acceptor`: the AWS account that bought."""

    account_id: OrNone[Annotated[AwsText, BeforeValidator(_account_id)]] = None


class AwsDetail(AwsModel):
    """`detail` of an event on EventBridge."""

    agreement: OrNone[AwsAgreement] = None
    product: OrNone[AwsProduct] = None
    license: OrNone[AwsLicense] = None
    acceptor: OrNone[AwsAcceptor] = None


class EventBridgeEvent(AwsModel):
    """An event as EventBridge delivers it."""

    id: AwsText
    kind: Annotated[AwsText, Field(alias="detail-type", max_length=128)]
    source: Literal["aws.agreement-marketplace"]
    time: AwsTime
    detail: AwsDetail


class SnsMessage(AwsModel):
    """What AWS Marketplace publishes on the SNS topics of an older listing."""

    action: Annotated[AwsText, Field(max_length=128)]
    product_code: AwsText = Field(alias="product-code")
    customer_identifier: OrNone[AwsText] = Field(default=None, alias="customer-identifier")
    free_trial: Any = Field(default=None, alias="isFreeTrialTermPresent")


class SnsEnvelope(AwsModel):
    """The JSON that SNS puts around a message for a queue, unless raw delivery is on."""

    type: Literal["Notification"] = Field(alias="Type")
    id: AwsText = Field(alias="MessageId")
    time: AwsTime = Field(alias="Timestamp")
    message: str = Field(alias="Message")


@dataclass(frozen=True)
class AwsEvent:
    """One event. `happened_at` is by AWS's clock; `body` is what came out of the queue, for storing.

    `dropped` names the fields that AWS sent and that could not be read: they are None.
    """

    aws_id: str
    channel: str
    kind: str
    happened_at: datetime
    body: dict[str, Any]
    product_code: str | None = None
    customer_aws_account_id: str | None = None
    customer_identifier: str | None = None
    license_arn: str | None = None
    agreement_id: str | None = None
    previous_agreement_id: str | None = None
    agreement_status: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    free_trial: bool | None = None
    dropped: tuple[str, ...] = ()

    @cached_property
    def kind_without_party(self) -> str:
        """The kind without the party that AWS sent the event to: an `AwsEventKind`, or one that AWS has added since."""
        return self.kind.removesuffix(next(filter(self.kind.endswith, PARTY_SUFFIXES), ""))


def parse_json(text: str) -> dict[str, Any]:
    """Return the JSON object that the text is. Raises `InvalidEvent` where it is none."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidEvent("It is not JSON.") from None
    if not isinstance(body, dict):
        raise InvalidEvent("It is not a JSON object.")
    return body


def parse_body(body: dict[str, Any], message_id: str, sent_at: datetime) -> AwsEvent:
    """Return the event in a message body: EventBridge's, or SNS's with its envelope or without (raw delivery).

    SNS's raw delivery has neither an id nor a time: those of the SQS message stand in.

    Raises:
        InvalidEvent: the message is none of them.
    """
    dropped: list[str] = []
    try:
        content = body
        if "Message" in body and "detail-type" not in body:
            envelope = SnsEnvelope.model_validate(body)
            content, message_id, sent_at = parse_json(envelope.message), envelope.id, envelope.time
        if "detail-type" in content:
            event = _from_eventbridge(EventBridgeEvent.model_validate(content, context=dropped), body)
        else:
            event = _from_sns(SnsMessage.model_validate(content, context=dropped), message_id, sent_at, body)
        return replace(event, dropped=tuple(dropped)) if dropped else event
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False))
        raise InvalidEvent("; ".join(faults)) from None


def _from_eventbridge(event: EventBridgeEvent, body: dict[str, Any]) -> AwsEvent:
    agreement, license_ = event.detail.agreement or AwsAgreement(), event.detail.license or AwsLicense()
    product, acceptor = event.detail.product or AwsProduct(), event.detail.acceptor or AwsAcceptor()
    previous_id = agreement.previous_agreement_id
    return AwsEvent(
        aws_id=event.id,
        channel="eventbridge",
        kind=event.kind,
        happened_at=event.time,
        body=body,
        product_code=product.code,
        customer_aws_account_id=acceptor.account_id,
        license_arn=license_.arn or license_.id,
        agreement_id=agreement.id,
        # An agreement that renews itself would never end.
        previous_agreement_id=previous_id if previous_id != agreement.id else None,
        agreement_status=agreement.status,
        starts_at=agreement.start_time,
        ends_at=agreement.end_time,
    )


def _from_sns(message: SnsMessage, aws_id: str, happened_at: datetime, body: dict[str, Any]) -> AwsEvent:
    return AwsEvent(
        aws_id=aws_id,
        channel="sns",
        kind=message.action,
        happened_at=happened_at,
        body=body,
        product_code=message.product_code,
        customer_identifier=message.customer_identifier,
        # AWS sends the text "true" or "false".
        free_trial={"true": True, "false": False}.get(str(message.free_trial).strip().lower()),
    )
