"""The faults of the fault panel: errors of AWS, and variations of its responses."""

from pydantic import Field

from sandbox.strict_model import StrictModel


class Faults(StrictModel):
    """The faults that are on; by default all are off."""

    expired: bool = Field(
        default=False,
        title="Expired token",
        description="Every registration token is refused with ExpiredTokenException (400).",
    )
    invalid: bool = Field(
        default=False,
        title="Invalid token",
        description="Every registration token is refused with InvalidTokenException (400).",
    )
    throttled: int = Field(
        default=0,
        ge=0,
        le=1000,
        title="Throttled",
        description="This many calls are refused with ThrottlingException (400); the calls after them work.",
    )
    aws_down: bool = Field(
        default=False,
        title="AWS is down",
        description="Every call fails with InternalServiceErrorException (500).",
    )
    slow: float = Field(
        default=0,
        ge=0,
        le=60,
        allow_inf_nan=False,
        title="Slow",
        description="AWS waits this many seconds before each response.",
    )
    api_disabled: bool = Field(
        default=False,
        title="API disabled",
        description="Every ResolveCustomer call is refused with DisabledApiException (400).",
    )
    access_denied: bool = Field(
        default=False,
        title="Access denied",
        description="The seller's credentials lack the permission: AccessDeniedException (403).",
    )
    credentials_expired: bool = Field(
        default=False,
        title="Credentials expired",
        description="The seller's own credentials have expired: ExpiredTokenException with another message (403).",
    )
    credentials_unknown: bool = Field(
        default=False,
        title="Credentials unknown",
        description="The seller's access key does not exist: UnrecognizedClientException (403).",
    )
    other_product: bool = Field(
        default=False,
        title="Other product",
        description="The response names a product that the seller has not configured.",
    )
    no_license_arn: bool = Field(
        default=False,
        title="No license",
        description="The response has no LicenseArn.",
    )
    no_customer: bool = Field(
        default=False,
        title="No customer",
        description="The response has neither CustomerAWSAccountId nor CustomerIdentifier.",
    )
    no_customer_identifier: bool = Field(
        default=False,
        title="CustomerIdentifier left out",
        description="New-style responses omit CustomerIdentifier instead of sending it empty.",
    )
    empty_page: bool = Field(
        default=False,
        title="Empty first page",
        description="The first page of GetEntitlements is empty but has a NextToken, as AWS allows.",
    )
    printed_forms: bool = Field(
        default=False,
        title="Printed forms",
        description="Events are spelled as AWS's documentation prints them, not as AWS sends them.",
    )
    extra_fields: bool = Field(
        default=False,
        title="Extra form fields",
        description="The buyer's browser also sends the agreement id and the product id, unsigned.",
    )

    lost_answers: int = Field(
        default=0,
        ge=0,
        le=1000,
        title="Usage: answers lost",
        description="This many BatchMeterUsage calls are billed, and the connection is closed without an answer.",
    )
    unprocessed_records: int = Field(
        default=0,
        ge=0,
        le=100_000,
        title="Usage: records not processed",
        description="This many usage records are returned in UnprocessedRecords; those after them are billed.",
    )
    unprocessed_calls: int = Field(
        default=0,
        ge=0,
        le=1000,
        title="Usage: calls not processed",
        description="This many BatchMeterUsage calls return all of their records in UnprocessedRecords.",
    )
    metering_throttled: int = Field(
        default=0,
        ge=0,
        le=1000,
        title="Usage: throttled",
        description="This many BatchMeterUsage calls are refused with ThrottlingException (400).",
    )
    metering_throttled_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        title="Usage: throttled, in percent",
        description="This share of all BatchMeterUsage calls is refused with ThrottlingException (400).",
    )
    metering_errors: int = Field(
        default=0,
        ge=0,
        le=1000,
        title="Usage: internal errors",
        description="This many BatchMeterUsage calls fail with InternalServiceErrorException (500).",
    )
    metering_disabled: bool = Field(
        default=False,
        title="Usage: API disabled",
        description="Every BatchMeterUsage call is refused with DisabledApiException (400).",
    )
    not_subscribed: bool = Field(
        default=False,
        title="Usage: customers suspended",
        description="Every usage record is answered with CustomerNotSubscribed, as for a suspended AWS account.",
    )
    repeat_is_duplicate: bool = Field(
        default=False,
        title="Usage: the same again is a duplicate",
        description="A record sent again with the same quantity is a DuplicateRecord. "
        "Otherwise it is a Success again: AWS's documents say both.",
    )

    def switched_on(self) -> list[str]:
        """Return the titles of the faults that are on."""
        return [str(field.title) for name, field in type(self).model_fields.items() if getattr(self, name)]
