"""Errors without a response from AWS: caused by the seller's credentials, or by the connection."""

from pathlib import Path

import pytest
from botocore import exceptions

from app import create_app
from app.aws import errors, resolve_customer
from app.errors import CredentialsRefused, MarketplaceUnavailable
from tests.support import factories
from tests.support.databases import on_sqlite

LEGACY_SSO = """sso_start_url = https://acme.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = seller"""
MISSING_SOURCE = "role_arn = arn:aws:iam::123456789012:role/seller\nsource_profile = other"
MISSING_SOURCE += "\n[profile other]\nrole_arn = arn:aws:iam::123456789012:role/other\nsource_profile = missing"


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
