"""The errors of AWS's calls: code, HTTP status and message.

Modelled errors: https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
and API_marketplace-metering_BatchMeterUsage.html, API_marketplace-entitlements_GetEntitlements.html,
API_DescribeEntity.html beside it.
Common errors: https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/common-errors.html
"""


class AwsError(Exception):
    """An error response of AWS."""

    code: str
    status = 400
    message: str


class RefusedRequest(AwsError):
    """An error whose message says what is wrong with the request."""

    def __init__(self, message: str) -> None:
        self.message = message


class InvalidToken(AwsError):
    """The registration token does not exist, or the caller is not the seller it was minted for."""

    code = "InvalidTokenException"
    message = "Registration token is invalid"


class ExpiredToken(AwsError):
    """The registration token is too old."""

    code = "ExpiredTokenException"
    message = "Registration token is expired"


class Throttling(AwsError):
    """The seller exceeds AWS's call rate."""

    code = "ThrottlingException"
    message = "Rate exceeded"


class InternalServiceError(AwsError):
    """AWS has an internal error."""

    code = "InternalServiceErrorException"
    status = 500
    message = "An internal error has occurred. Retry your request."


class DisabledApi(AwsError):
    """The API is disabled in the Region."""

    code = "DisabledApiException"
    message = "The API is disabled in the Region."


class UnsupportedMetering(AwsError):
    """The sandbox sells SaaS only. AWS's SDKs do not retry this error."""

    code = "DisabledApiException"
    message = (
        "The sandbox has no MeterUsage and no RegisterUsage, which are for products that run in the buyer's account. "
        "SaaS products send their usage with BatchMeterUsage."
    )


class AccessDenied(AwsError):
    """The caller's IAM policies do not allow the call."""

    code = "AccessDeniedException"
    status = 403

    def __init__(self, operation: str) -> None:
        self.message = (
            f"User: arn:aws:iam::123456789012:user/seller is not authorized to perform: aws-marketplace:{operation} "
            f"because no identity-based policy allows the aws-marketplace:{operation} action"
        )


class InvalidParameter(RefusedRequest):
    """GetEntitlements does not accept a parameter."""

    code = "InvalidParameterException"


class MeteringError(RefusedRequest):
    """BatchMeterUsage refuses the whole call: none of its records is processed."""


class InvalidUsageDimension(MeteringError):
    """The product has no such dimension that can be metered."""

    code = "InvalidUsageDimensionException"


class InvalidLicense(MeteringError):
    """The license is unknown, another customer's or another product's, or was not active at that time."""

    code = "InvalidLicenseException"


class InvalidTag(MeteringError):
    """A tag is invalid, or there are more than five."""

    code = "InvalidTagException"


class InvalidUsageAllocations(MeteringError):
    """The allocations do not add up to the quantity, or are not of its kind."""

    code = "InvalidUsageAllocationsException"


class InvalidCustomerIdentifier(MeteringError):
    """The record does not name one customer."""

    code = "InvalidCustomerIdentifierException"


class InvalidProductCode(MeteringError):
    """The seller has no such product, or the product code is missing or not allowed."""

    code = "InvalidProductCodeException"


class TimestampOutOfBounds(MeteringError):
    """The time is too long ago, or in the future."""

    code = "TimestampOutOfBoundsException"


class InvalidRequest(MeteringError):
    """A member of the request is missing or beyond its limits."""

    code = "ValidationException"


class UnreadableRequest(MeteringError):
    """The request is not JSON, or a member has another type."""

    code = "SerializationException"


class RequestTooLarge(MeteringError):
    """The request has too many bytes."""

    code = "RequestEntityTooLargeException"
    status = 413


class EntityNotFound(RefusedRequest):
    """The catalog has no such entity of the caller's account."""

    code = "ResourceNotFoundException"
    status = 404


class InvalidCatalogRequest(RefusedRequest):
    """The catalog does not accept a parameter."""

    code = "ValidationException"
    status = 422


class ExpiredCredentials(AwsError):
    """The caller's credentials have expired. AWS uses the same code as for an expired registration token."""

    code = "ExpiredTokenException"
    status = 403
    message = "The security token included in the request is expired"


class UnrecognizedClient(AwsError):
    """The caller's access key does not exist."""

    code = "UnrecognizedClientException"
    status = 403
    message = "The security token included in the request is invalid."
