"""The password for the database: in DATABASE_URL, beside it, or a token of IAM's; never two of them."""

import pytest
from sqlalchemy.engine import make_url

from app.config import database_login, settings
from app.config.settings import SettingsError

RDS = "foyer.c0ffee123456.eu-central-1.rds.amazonaws.com"
RDS_URL = f"postgresql://foyer@{RDS}/foyer?sslmode=verify-full&sslrootcert=/etc/rds.pem"


def start_error() -> str:
    with pytest.raises(SettingsError) as raised:
        settings.load()
    return str(raised.value)


@pytest.mark.parametrize("password", ["pä:s/s@w?o#r%41d&=+ 'x\"\\", "@", " ", "%"])
def test_password_is_added_to_the_url_as_it_is(seller: pytest.MonkeyPatch, password: str) -> None:
    seller.setenv("DATABASE_URL", "postgresql://me@db.example/foyer?sslmode=require")
    seller.setenv("DATABASE_PASSWORD", password)

    loaded = settings.load()

    assert loaded.sqlalchemy_url.password == password
    assert loaded.sqlalchemy_url.set(password="").render_as_string(hide_password=False) == (
        "postgresql+psycopg://me:@db.example/foyer?sslmode=require"
    )


@pytest.mark.parametrize(
    "url", ["postgresql://me:hunter2@db.example/foyer", "postgresql://me@db.example/foyer?password=hunter2"]
)
@pytest.mark.parametrize("setting", ["DATABASE_PASSWORD", "DATABASE_IAM_AUTH"])
def test_url_with_a_password_takes_no_other(seller: pytest.MonkeyPatch, url: str, setting: str) -> None:
    seller.setenv("DATABASE_URL", url)
    seller.setenv(setting, "true")

    error = start_error()

    assert f"\n  {setting}: " in error
    assert "a password as well" in error
    assert "hunter2" not in error


@pytest.mark.parametrize("url", ["", "sqlite:///foyer.db"])
@pytest.mark.parametrize("setting", ["DATABASE_PASSWORD", "DATABASE_IAM_AUTH"])
def test_login_to_sqlite_is_refused(seller: pytest.MonkeyPatch, url: str, setting: str) -> None:
    seller.setenv("DATABASE_URL", url)
    seller.setenv(setting, "true")

    assert f"\n  {setting}: DATABASE_URL must start with postgresql://. " in start_error()


def test_invalid_url_is_the_only_fault(seller: pytest.MonkeyPatch) -> None:
    seller.setenv("DATABASE_URL", "not a url")
    seller.setenv("DATABASE_PASSWORD", "hunter2")

    error = start_error()

    assert "\n  DATABASE_URL: it must be " in error
    assert "DATABASE_PASSWORD" not in error


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_iam_login_starts_with_tls(seller: pytest.MonkeyPatch, mode: str) -> None:
    seller.setenv("DATABASE_URL", f"postgresql://foyer@{RDS}/foyer?sslmode={mode}")
    seller.setenv("DATABASE_IAM_AUTH", "true")

    assert settings.load().database_iam_auth is True


@pytest.mark.parametrize("query", ["", "?sslmode=prefer", "?sslmode=disable", "?sslmode=allow", "?application_name=me"])
def test_iam_login_without_tls_is_refused(seller: pytest.MonkeyPatch, query: str) -> None:
    seller.setenv("DATABASE_URL", f"postgresql://foyer@{RDS}/foyer{query}")
    seller.setenv("DATABASE_IAM_AUTH", "true")

    assert "\n  DATABASE_IAM_AUTH: it needs TLS. Add ?sslmode=verify-full" in start_error()


@pytest.mark.parametrize(
    "place",
    [f"{RDS}/foyer", "foyer@/foyer", f"foyer@{RDS},other.example/foyer", f"foyer@{RDS}/foyer?port=5433"],
)
def test_iam_login_needs_one_host_and_a_user(seller: pytest.MonkeyPatch, place: str) -> None:
    seller.setenv("DATABASE_URL", f"postgresql://{place}{'&' if '?' in place else '?'}sslmode=require")
    seller.setenv("DATABASE_IAM_AUTH", "true")

    assert "\n  DATABASE_IAM_AUTH: DATABASE_URL must name one host and the user" in start_error()


def test_iam_login_and_a_password_are_refused(seller: pytest.MonkeyPatch) -> None:
    seller.setenv("DATABASE_URL", RDS_URL)
    seller.setenv("DATABASE_PASSWORD", "hunter2")
    seller.setenv("DATABASE_IAM_AUTH", "true")

    assert "\n  DATABASE_IAM_AUTH: there is a password as well. Remove it from DATABASE_URL" in start_error()


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (RDS, "eu-central-1"),
        (RDS.upper(), "eu-central-1"),
        (f"{RDS}.", "eu-central-1"),
        ("foyer.cluster-c0ffee.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("foyer.proxy-c0ffee.ap-southeast-2.rds.amazonaws.com", "ap-southeast-2"),
        ("foyer.c0ffee.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"),
        ("db.acme.example", "us-east-1"),
        (f"{RDS}.evil.example", "us-east-1"),
    ],
)
def test_region_of_a_token_is_the_hosts_or_aws_region(host: str, region: str) -> None:
    login = database_login.iam_login(make_url(f"postgresql://me%40acme@{host}/foyer"), "us-east-1")

    assert (login.host, login.port, login.user, login.region) == (host, 5432, "me@acme", region)
