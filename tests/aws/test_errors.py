"""Errors without a response from AWS: the seller's credentials, another setting of the SDK's, or an outage."""

from collections.abc import Iterator
from pathlib import Path
from ssl import SSLError

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError
from urllib3.exceptions import LocationParseError, ProtocolError

from app import create_app
from app.aws import errors, resolve_customer
from app.errors import CredentialsRefused, MarketplaceError, MarketplaceUnavailable, SetupInvalid
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite

LEGACY_SSO = """sso_start_url = https://acme.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = seller"""
MISSING_SOURCE = "role_arn = arn:aws:iam::123456789012:role/seller\nsource_profile = other"
MISSING_SOURCE += "\n[profile other]\nrole_arn = arn:aws:iam::123456789012:role/other\nsource_profile = missing"

# Every exception of botocore's is in one of the three. A new one in botocore has to be decided on here.
CREDENTIALS = """
    ConfigNotFound ConfigParseError CredentialRetrievalError InfiniteLoopConfigError InvalidConfigError
    InvalidIMDSEndpointError InvalidIMDSEndpointModeError LoginAuthorizationCodeError LoginError
    LoginInsufficientPermissions LoginRefreshRequired LoginTokenLoadError MetadataRetrievalError
    MissingDependencyException NoAuthTokenError NoCredentialsError PartialCredentialsError ProfileNotFound
    RefreshWithMFAUnsupportedError SSOError SSOTokenLoadError TokenRetrievalError UnauthorizedSSOTokenError
    UnknownCredentialError UnknownTokenProviderError
"""
OUTAGE = """
    CapacityNotAvailableError ChecksumError ConnectTimeoutError ConnectionClosedError ConnectionError
    EndpointConnectionError FlexibleChecksumError HTTPClientError IncompleteReadError PaginationError
    ProxyConnectionError ReadTimeoutError ResponseStreamingError SSLError
"""
SETUP = """
    AliasConflictParameterError ApiVersionNotFoundError AwsChunkedWrapperError BaseEndpointResolverError
    DataNotFoundError EndpointProviderError EndpointResolutionError EndpointVariantError InvalidChecksumConfigError
    InvalidDNSNameError InvalidDefaultsMode InvalidEndpointConfigurationError
    InvalidEndpointDiscoveryConfigurationError InvalidExpressionError InvalidHostLabelError
    InvalidMaxRetryAttemptsError InvalidProxiesConfigError InvalidRegionError InvalidRetryConfigurationError
    InvalidRetryModeError InvalidS3AddressingStyleError InvalidS3UsEast1RegionalEndpointConfigError
    InvalidSTSRegionalEndpointsConfigError MD5UnavailableError MissingParametersError NoRegionError
    OperationNotPageableError ParamValidationError RangeError ServiceNotInRegionError StubAssertionError
    StubResponseError UnStubbedResponseError UnknownClientMethodError UnknownEndpointError
    UnknownEndpointResolutionBuiltInName UnknownFIPSEndpointError UnknownKeyError UnknownParameterError
    UnknownRegionError UnknownServiceError UnknownServiceStyle UnknownSignatureVersionError UnseekableStreamError
    UnsupportedOutpostResourceError UnsupportedS3AccesspointConfigurationError UnsupportedS3ArnError
    UnsupportedS3ConfigurationError UnsupportedS3ControlArnError UnsupportedS3ControlConfigurationError
    UnsupportedServiceProtocolsError UnsupportedSignatureVersionError ValidationError WaiterConfigError WaiterError
"""


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def translate(kind: type[Exception]) -> type[MarketplaceError]:
    error = kind.__new__(kind)
    error.kwargs = {}  # type: ignore[attr-defined]
    assert isinstance(error, errors.NO_RESPONSE_ERRORS)
    return type(errors.from_missing_response(error))


def test_every_exception_of_botocore_is_decided_on() -> None:
    decisions = {
        CredentialsRefused: set(CREDENTIALS.split()),
        MarketplaceUnavailable: set(OUTAGE.split()),
        SetupInvalid: set(SETUP.split()),
    }
    kinds = {kind for kind in subclasses(exceptions.BotoCoreError) if kind.__module__ == exceptions.__name__}

    decided: dict[type[MarketplaceError], set[str]] = {decision: set() for decision in decisions}
    for kind in kinds:
        decided[translate(kind)].add(kind.__name__)

    assert decided == decisions


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A seller's environment without an access key and with an empty home directory."""
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    environment.setenv("HOME", str(tmp_path))
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return environment


def resolve() -> None:
    with factories.open_app(create_app()) as app, app.app_context():
        resolve_customer.resolve("token")


@on_sqlite
def test_missing_web_identity_token_is_a_credentials_error(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/eks")
    environment.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/missing/token")

    with pytest.raises(CredentialsRefused) as raised:
        resolve()

    assert raised.value.code == "FileNotFoundError"


@on_sqlite
@pytest.mark.parametrize(
    ("profile", "code"),
    [
        ("credential_process = /missing/program", "FileNotFoundError"),
        ("credential_process = /dev/null", "PermissionError"),
        (LEGACY_SSO, "SSOTokenLoadError"),
        (MISSING_SOURCE, "InvalidConfigError"),
        ("[", "ConfigParseError"),
    ],
    ids=["missing program", "no program", "signed out", "missing source", "not a profile"],
)
def test_profile_without_credentials_is_a_credentials_error(
    environment: pytest.MonkeyPatch, tmp_path: Path, profile: str, code: str
) -> None:
    (tmp_path / "config").write_text(f"[profile seller]\n{profile}\n")
    environment.setenv("AWS_PROFILE", "seller")

    with pytest.raises(CredentialsRefused) as raised:
        resolve()

    assert raised.value.code == code


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConfigNotFound(path="/missing/config"),
        exceptions.LoginRefreshRequired(),
        exceptions.MetadataRetrievalError(error_msg="no answer"),
        exceptions.MissingDependencyException(msg="install botocore[crt]"),
        exceptions.ProfileNotFound(profile="missing"),
        exceptions.RefreshWithMFAUnsupportedError(),
        exceptions.UnauthorizedSSOTokenError(),
        exceptions.UnknownCredentialError(name="login"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_botocores_credential_errors_are_credentials_errors(error: Exception) -> None:
    translated = errors.from_missing_response(error)

    assert isinstance(error, errors.NO_RESPONSE_ERRORS)
    assert isinstance(translated, CredentialsRefused)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        exceptions.ConnectTimeoutError(endpoint_url="https://aws.example"),
        exceptions.EndpointConnectionError(endpoint_url="https://aws.example"),
        exceptions.ProxyConnectionError(proxy_url="http://proxy.example"),
        exceptions.ReadTimeoutError(endpoint_url="https://aws.example"),
        exceptions.SSLError(endpoint_url="https://aws.example", error=OSError("no certificate")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_connection_error_is_not_a_credentials_error(error: Exception) -> None:
    translated = errors.from_missing_response(error)

    assert isinstance(error, errors.NO_RESPONSE_ERRORS)
    assert isinstance(translated, MarketplaceUnavailable)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (exceptions.HTTPClientError(error=ValueError("Invalid header value b'AKIA'")), CredentialsRefused),
        (exceptions.HTTPClientError(error=UnicodeEncodeError("latin-1", "\u20ac", 0, 1, "no")), CredentialsRefused),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), CredentialsRefused),
        (
            RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
            CredentialsRefused,
        ),
        (exceptions.HTTPClientError(error=LocationParseError("https://a..b")), SetupInvalid),
        (exceptions.HTTPClientError(error=FileNotFoundError()), SetupInvalid),
        (exceptions.HTTPClientError(error=SSLError("no certificate or crl found")), SetupInvalid),
        (ValueError("Invalid endpoint: metering"), SetupInvalid),
        (exceptions.HTTPClientError(error=ConnectionResetError()), MarketplaceUnavailable),
        (exceptions.HTTPClientError(error=ProtocolError("cut")), MarketplaceUnavailable),
        (ResponseParserError("<html>"), MarketplaceUnavailable),
        (KeyError("Account"), MarketplaceUnavailable),
    ],
    ids=lambda value: f"{type(value).__name__} {value}"[:40] if isinstance(value, Exception) else value.__name__,
)
def test_error_that_botocore_passes_on_is_decided_on(error: Exception, kind: type[Exception]) -> None:
    assert isinstance(error, errors.NO_RESPONSE_ERRORS)
    assert type(errors.from_missing_response(error)) is kind


@on_sqlite
@pytest.mark.parametrize(
    ("printed", "code"),
    [("not JSON", "JSONDecodeError"), ("\\377", "UnicodeDecodeError"), ('{"Version": 1}', "CredentialRetrievalError")],
)
def test_program_that_prints_no_credentials_is_a_credentials_error(
    environment: pytest.MonkeyPatch, tmp_path: Path, printed: str, code: str
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nprintf '{printed}'\n")
    program.chmod(0o755)
    (tmp_path / "config").write_text(f"[profile seller]\ncredential_process = {program}\n")
    environment.setenv("AWS_PROFILE", "seller")

    with pytest.raises(CredentialsRefused) as raised:
        resolve()

    assert raised.value.code == code


@on_sqlite
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "metering"),
        ("AWS_ENDPOINT_URL", "http://a..b/"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:99999"),
        ("AWS_CA_BUNDLE", "/missing/authorities.pem"),
        ("AWS_CA_BUNDLE", "/dev/null"),
        ("HTTPS_PROXY", "http://proxy example"),
        ("HTTPS_PROXY", '"http://127.0.0.1:1"'),
    ],
)
def test_invalid_setting_of_the_sdk_is_no_outage(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, name: str, value: str
) -> None:
    environment.setenv("AWS_ACCESS_KEY_ID", "testing")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    if name in {"AWS_CA_BUNDLE", "HTTPS_PROXY"}:
        environment.setenv("AWS_ENDPOINT_URL", sandbox.aws_url.replace("http:", "https:"))
    environment.setenv(name, value)

    with pytest.raises(SetupInvalid):
        resolve()
