"""Turns botocore's errors into our named ones.

Three kinds have no response of AWS's. Only an outage passes by itself: then the buyer's token is stored as pending. The
other two are ours to mend, and nothing has left this machine: the credentials cannot be had or sent, or another setting
of the SDK's is invalid.

ExpiredTokenException means either of two things: the buyer's registration token (HTTP 400) or the seller's own
credentials (HTTP 403, https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/common-errors.html). The status and
the message tell which; the code alone does not.
"""

import ssl
import traceback
from collections.abc import Iterator
from socket import gaierror

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

from app import errors
from app.aws import sdk_variables
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
    exceptions.InvalidIMDSEndpointError,
    exceptions.InvalidIMDSEndpointModeError,
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
    exceptions.UnknownTokenProviderError,
    # "Credentials were refreshed, but the refreshed credentials are still expired."
    RuntimeError,
    # Of what a request consists of, only the credentials come from the seller as text.
    UnicodeError,
)

# Some of botocore's connection errors are OSErrors, and so are Python's.
CONNECTION_ERRORS = (exceptions.ConnectionError, ConnectionError, TimeoutError, gaierror)

# AWS did not respond, or not as AWS does. All other errors of botocore's are raised before a call.
OUTAGE_ERRORS = (
    *CONNECTION_ERRORS,
    exceptions.CapacityNotAvailableError,
    exceptions.ChecksumError,
    exceptions.ConnectionClosedError,
    exceptions.FlexibleChecksumError,
    exceptions.IncompleteReadError,
    exceptions.PaginationError,
    exceptions.ReadTimeoutError,
    exceptions.ResponseStreamingError,
    ResponseParserError,
)

# botocore raises these where AWS sent no response: OSError for a file or a program that should give credentials, the
# last four for credentials or an endpoint that are not what they should be.
NO_RESPONSE_ERRORS = (BotoCoreError, OSError, KeyError, ResponseParserError, RuntimeError, ValueError)
LOCAL_FILE_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
CREDENTIAL_MODULES = {"botocore.credentials", "botocore.tokens"}


def from_client_error(error: ClientError) -> MarketplaceError:
    """Return our error for one that AWS sent; one we do not list goes by its HTTP status."""
    details = error.response.get("Error", {})
    code, message = details.get("Code", ""), details.get("Message", "").lower()
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    by_status = errors.PermissionDenied if status in {401, 403} else errors.MarketplaceUnavailable
    kind = next((kind for kind, codes in CODES_BY_ERROR.items() if code in codes), by_status)
    is_about_buyer = "registration token" in message or ("security token" not in message and status != 403)
    if kind is errors.CredentialsRefused or (kind is errors.ExpiredToken and not is_about_buyer):
        return errors.CredentialsRefused(_name_variables(code))
    return kind(code)


def from_missing_response(error: Exception) -> MarketplaceError:
    """Return our error for a call without a response: the credentials, another setting, or an outage."""
    # botocore wraps what the HTTP client raises, also before it sends anything.
    cause = error.kwargs.get("error") if type(error) is HTTPClientError else error
    kind: type[MarketplaceError] = errors.SetupInvalid
    if _is_about_credentials(error, cause):
        kind = errors.CredentialsRefused
    elif not _is_about_setup(error, cause):
        return errors.MarketplaceUnavailable(type(error).__name__)
    return kind(_name_variables(type(error).__name__))


def _is_about_credentials(error: Exception, cause: object) -> bool:
    if isinstance(cause, OUTAGE_ERRORS):
        return False
    # An OSError that is not wrapped is of a file or a program that should give credentials.
    if isinstance(error, (OSError, *CREDENTIAL_ERRORS)):
        return True
    is_from_search = isinstance(error, ValueError | KeyError) and _has_frame_in(error, CREDENTIAL_MODULES)
    # http.client refuses the header with the credentials: "Invalid header value b'...'".
    return is_from_search or isinstance(cause, UnicodeError) or "header value" in str(cause)


def _is_about_setup(error: Exception, cause: object) -> bool:
    if isinstance(error, exceptions.SSLError):  # also for a file of authorities that is missing or is none
        return any(isinstance(link, LOCAL_FILE_ERRORS) or _is_pem_error(link) for link in _chain(error))
    if isinstance(error, exceptions.ProxyConnectionError):
        return not sdk_variables.PROXIES.isdisjoint(name.upper() for name in sdk_variables.find_faults())
    return not isinstance(cause, OUTAGE_ERRORS) and isinstance(cause, BotoCoreError | OSError | ValueError)


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link:
        yield link
        link = link.__cause__ or link.__context__


def _is_pem_error(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLError) and error.library in {"PEM", "X509"}


def _has_frame_in(error: BaseException, modules: set[str]) -> bool:
    return any(frame.f_globals.get("__name__") in modules for frame, _ in traceback.walk_tb(error.__traceback__))


def _name_variables(code: str) -> str:
    return " ".join([code, *sdk_variables.find_faults()])
