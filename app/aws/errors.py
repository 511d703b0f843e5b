"""Turns botocore's errors into our named ones.

ExpiredTokenException means either of two things: the buyer's registration token (HTTP 400) or the seller's own
credentials (HTTP 403, https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/common-errors.html). The status and
the message tell which; the code alone does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from socket import gaierror

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from app import errors as app_errors

CODES_BY_ERROR: dict[type[app_errors.MarketplaceError], set[str]] = {
    app_errors.InvalidToken: {"InvalidTokenException", "ValidationException"},
    app_errors.ExpiredToken: {"ExpiredTokenException"},
    app_errors.ApiDisabled: {"DisabledApiException"},
    app_errors.Throttled: {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"},
    app_errors.PermissionDenied: {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "OptInRequired"},
    app_errors.CredentialsRefused: {
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


@contextmanager
def translate() -> Iterator[None]:
    """Turn the errors of the AWS calls in the block into ours."""
    try:
        yield
    except ClientError as error:
        raise from_client_error(error) from error
    except NO_RESPONSE_ERRORS as error:
        raise from_missing_response(error) from error


def from_client_error(error: ClientError) -> app_errors.MarketplaceError:
    """Return our error for one that AWS sent; one we do not list goes by its HTTP status."""
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "").lower()
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    by_status = app_errors.PermissionDenied if status in {401, 403} else MarketplaceUnavailable
    kind = next((kind for kind, codes in CODES_BY_ERROR.items() if code in codes), by_status)
    if kind is app_errors.ExpiredToken and "registration token" not in message and ("security token" in message or status == 403):
        kind = CredentialsRefused
    return kind(code)


def from_missing_response(error: Exception) -> app_errors.MarketplaceError:
    """Return our error for a call without a response: the seller's credentials, or the connection to AWS."""
    is_local = isinstance(error, OSError) and not isinstance(error, CONNECTION_ERRORS)
    kind = app_errors.CredentialsRefused if is_local or isinstance(error, CREDENTIAL_ERRORS) else MarketplaceUnavailable
    return kind(type(error).__name__)
