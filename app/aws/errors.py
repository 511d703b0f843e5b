"""Turns botocore's errors into our named ones.

ExpiredTokenException means either of two things: the buyer's registration token (HTTP 400) or the seller's own
credentials (HTTP 403, https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/common-errors.html). The status and
the message tell which; the code alone does not.
"""

from socket import gaierror

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from app import errors
from app.errors import MarketplaceError

CODES_BY_ERROR: dict[type[MarketplaceError], set[str]] = {
    errors.InvalidToken: {"InvalidTokenException", "ValidationException"},
    errors.ExpiredToken: {"ExpiredTokenException"},
    errors.ApiDisabled: {"DisabledApiException"},
    errors.Throttled: {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"},
    errors.PermissionDenied: {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "OptInRequired"},
    errors.CredentialsRefused: {
        "ExpiredToken",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    },
}

CREDENTIAL_ERRORS = (
    exceptions.ConfigNotFound,
    exceptions.ConfigParseError,
    exceptions.CredentialRetrievalError,
    exceptions.InvalidConfigError,
    exceptions.LoginError,
    exceptions.MetadataRetrievalError,
    exceptions.MissingDependencyException,
    exceptions.NoAuthTokenError,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.RefreshWithMFAUnsupportedError,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
    exceptions.UnknownCredentialError,
)

# Some of botocore's connection errors are OSErrors, and so are Python's. These say nothing about credentials.
CONNECTION_ERRORS = (BotoCoreError, ConnectionError, TimeoutError, gaierror)

# botocore raises these where AWS sent no response: OSError for a file or a program that should give credentials, the
# last three for an endpoint that is not a URL, or not AWS.
NO_RESPONSE_ERRORS = (BotoCoreError, OSError, KeyError, ResponseParserError, ValueError)


def from_client_error(error: ClientError) -> MarketplaceError:
    """Return our error for one that AWS sent; one we do not list goes by its HTTP status."""
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "").lower()
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    by_status = errors.PermissionDenied if status in {401, 403} else errors.MarketplaceUnavailable
    kind = next((kind for kind, codes in CODES_BY_ERROR.items() if code in codes), by_status)
    is_about_buyer = "registration token" in message or ("security token" not in message and status != 403)
    return errors.CredentialsRefused(code) if kind is errors.ExpiredToken and not is_about_buyer else kind(code)


def from_missing_response(error: Exception) -> MarketplaceError:
    """Return our error for a call without a response: the seller's credentials, or the connection to AWS."""
    is_local = isinstance(error, OSError) and not isinstance(error, CONNECTION_ERRORS)
    kind = (
        errors.CredentialsRefused if is_local or isinstance(error, CREDENTIAL_ERRORS) else errors.MarketplaceUnavailable
    )
    return kind(type(error).__name__)
