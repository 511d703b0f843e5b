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

    def switched_on(self) -> list[str]:
        """Return the titles of the faults that are on."""
        return [str(field.title) for name, field in type(self).model_fields.items() if getattr(self, name)]
