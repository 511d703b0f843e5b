"""What AWS answers to a call that it refuses: code, HTTP status and message.

Modelled errors: https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html
and API_marketplace-entitlements_GetEntitlements.html beside it.
Common errors: https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/common-errors.html
"""


class AwsError(Exception):
    """AWS refuses the call."""

    code: str
    status = 400
    message: str


class InvalidToken(AwsError):
    """No such registration token, or the seller's account is not the one it was made for."""

    code = "InvalidTokenException"
    message = "Registration token is invalid"


class ExpiredToken(AwsError):
    """The registration token is too old."""

    code = "ExpiredTokenException"
    message = "Registration token is expired"


class Throttling(AwsError):
    """The seller calls too often."""

    code = "ThrottlingException"
    message = "Rate exceeded"


class InternalServiceError(AwsError):
    """AWS is at fault."""

    code = "InternalServiceErrorException"
    status = 500
    message = "An internal error has occurred. Retry your request."


class DisabledApi(AwsError):
    """The API is switched off in the Region."""

    code = "DisabledApiException"
    message = "The API is disabled in the Region."


class AccessDenied(AwsError):
    """The caller's IAM policies do not allow the call."""

    code = "AccessDeniedException"
    status = 403

    def __init__(self, operation: str) -> None:
        self.message = (
            f"User: arn:aws:iam::123456789012:user/seller is not authorized to perform: aws-marketplace:{operation} "
            f"because no identity-based policy allows the aws-marketplace:{operation} action"
        )


class InvalidParameter(AwsError):
    """GetEntitlements is asked for something that it does not understand."""

    code = "InvalidParameterException"

    def __init__(self, message: str) -> None:
        self.message = message


class ExpiredCredentials(AwsError):
    """The caller's own credentials are too old; AWS uses the same code as for a registration token."""

    code = "ExpiredTokenException"
    status = 403
    message = "The security token included in the request is expired"


class UnrecognizedClient(AwsError):
    """The caller's access key is not one that AWS knows."""

    code = "UnrecognizedClientException"
    status = 403
    message = "The security token included in the request is invalid."
