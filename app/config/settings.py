"""Every setting: its name in the environment, its type, its default, and one sentence on its purpose."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

INSTANCE_DIR = Path(__file__).resolve().parents[2] / "instance"

# Threads of each of two processes. A landing waits for AWS on its thread: with 64 landings waiting, threads are left
# for other requests. The pool of connections to AWS has the same size, so that no thread waits for a connection.
THREADS = 64


class SettingsError(SystemExit):
    """A setting is missing or invalid. Uncaught, it ends the process with its text and exit status 1."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n  ".join(["Foyer cannot start:", *problems]))


def _split_commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _check_database_url(value: str) -> str:
    try:
        dialect = make_url(value).get_backend_name()
    except ArgumentError:
        dialect = ""
    is_in_memory = value.removesuffix(":memory:") in {"sqlite://", "sqlite:///"}
    if dialect not in {"sqlite", "postgresql", "postgres"} or is_in_memory:
        raise ValueError("it must be sqlite:/// and a path, or start with postgresql://")
    return value


def _check_ratelimit_storage_uri(value: str) -> str:
    uri = _split_url(value, {"redis", "rediss"})
    if value != "memory://" and not (uri and (uri.path in {"", "/"} or uri.path[1:].isdecimal())):
        raise ValueError("it must be memory://, or start with redis:// or rediss:// and name a host")
    return value


def _check_smtp_url(value: str) -> str:
    url = _split_url(value, {"smtp", "smtps"})
    if url is None or url.path.strip("/") or url.query or url.fragment or (url.username and not url.password):
        raise ValueError("it must start with smtp:// or smtps:// and name a host, and a password if it names a user")
    return value


def _split_url(value: str, schemes: set[str]) -> SplitResult | None:
    # None where the URL has another scheme, no host or an impossible port: `port` raises ValueError above 65535.
    try:
        url = urlsplit(value)
        return url if url.scheme in schemes and url.hostname and url.port != 0 else None
    except ValueError:
        return None


# No quotes, no comments, and a domain that DNS allows.
EMAIL_PATTERN = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
HostName = Annotated[str, Field(pattern=r"^\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:\d+)?$")]
SecretKey = Annotated[str, Field(min_length=16)]


class Settings(BaseSettings):
    """The seller's settings, read from the environment once, when the process starts.

    The text under a setting is its description; one that is longer than a line stands in its Field.
    """

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    secret_key: SecretKey = Field(
        description="Signs the session and the form. At least 16 characters; "
        'make one with `python -c "import secrets; print(secrets.token_hex())"`.'
    )
    secret_key_fallbacks: Annotated[tuple[SecretKey, ...], NoDecode, BeforeValidator(_split_commas)] = ()
    """Earlier secret keys, separated by commas: sessions that they signed stay valid while you rotate."""
    session_cookie_secure: bool = True
    """Sends the session cookie over HTTPS only. `false` only where there is no TLS, as in `make run`."""
    database_url: Annotated[str, AfterValidator(_check_database_url)] = f"sqlite:///{INSTANCE_DIR / 'foyer.db'}"
    """`sqlite:///path` for one machine, `postgresql://user:password@host/name` for more than one."""
    products_file: Path | None = None
    """A TOML file with one `[products.CODE]` table for each product you sell."""
    product_code: str | None = None
    """The product code of your listing. Use it in place of `PRODUCTS_FILE` if you sell one product."""
    product_name: str | None = None
    """The product's name on pages and in mails."""
    product_pricing: str = "subscription"
    """`subscription`, `contract` or `contract-with-consumption`, as on the listing."""
    product_sign_in_url: str | None = None
    """Where buyers who already have an account sign in."""
    product_handoff_url: str | None = None
    """Where your product receives hand-offs. Unset: none are sent."""
    product_notify_email: str | None = None
    """Your address for mails about registrations. Unset: `SUPPORT_EMAIL`."""
    product_ready_within: str | None = None
    """How long buyers wait at most for an account that your product does not make at once."""
    support_email: str | None = None
    """Where buyers ask for help. Every page shows it."""
    aws_region: str = Field("us-east-1", pattern=r"^[a-z]{2,}(-[a-z]+)+-\d+$", examples=["us-east-1"])
    """The Region whose ResolveCustomer endpoint is called."""
    marketplace_role_arn: str | None = Field(
        None, pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$", examples=["arn:aws:iam::123456789012:role/foyer"]
    )
    """A role in the account that published the product, assumed for every call to AWS."""
    marketplace_role_external_id: str | None = None
    """The external id, if the role's trust policy asks for one."""
    events_queue_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/@]+/\S+$",
        examples=["https://sqs.us-east-1.amazonaws.com/123456789012/foyer-events"],
        description="The SQS queue into which AWS Marketplace's events come; `flask worker` reads it. "
        "`deploy/template.yaml` makes it.",
    )
    site_url: str | None = Field(None, pattern=r"^https?://[^\s/@?#]+$", examples=["https://start.acme.example"])
    """Where buyers find this service, such as `https://start.acme.example`. Hand-offs and mails need it."""
    handoff_secret: str | None = Field(
        None,
        description="Signs hand-offs to your product: `whsec_` and 24 to 64 bytes in base64. Several, separated by "
        "commas, the newest first, while you rotate.",
    )
    handoff_allow_private: bool = False
    """Allows hand-offs over plain HTTP and to private addresses, for a product inside your network."""
    mail_from: str | None = Field(
        None, pattern=rf"^([^<>\p{{Cc}}]*<{EMAIL_PATTERN}>|{EMAIL_PATTERN})$", examples=["Acme <start@acme.example>"]
    )
    """The sender of mails: `start@acme.example` or `Acme <start@acme.example>`. Unset: none are sent."""
    smtp_url: Annotated[str, AfterValidator(_check_smtp_url)] | None = Field(
        None,
        description="Sends mail by SMTP and not through SES: `smtps://user:password@host`, or `smtp://`, which has to "
        "offer STARTTLS unless it is on this machine.",
    )
    ses_configuration_set: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["foyer"])
    """The SES configuration set for mails. It reports bounces."""
    trusted_proxies: int = Field(0, ge=0, le=10)
    """How many proxies stand in front and set `X-Forwarded-*` headers."""
    trusted_hosts: Annotated[tuple[HostName, ...], NoDecode, BeforeValidator(_split_commas)] = Field(
        (), examples=["start.acme.example"]
    )
    """The host names that this service answers to, separated by commas. Empty: any."""
    retention_days: int = Field(0, ge=0, le=36500)
    """How many days a registration is kept after its purchase has ended. 0: until you erase it."""
    ratelimit_storage_uri: Annotated[str, AfterValidator(_check_ratelimit_storage_uri)] = Field(
        "memory://",
        description="Where rate limits are counted: `memory://`, in each process for itself, "
        "or `redis://host:6379/0`, for all machines together.",
    )
    log_format: Literal["json", "console"] = "json"
    """`json` for machines, `console` for people."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """`DEBUG`, `INFO`, `WARNING` or `ERROR`."""

    @property
    def sqlalchemy_url(self) -> URL:
        """The database URL, with the driver that this project ships."""
        url = make_url(self.database_url)
        return url if url.get_backend_name() == "sqlite" else url.set(drivername="postgresql+psycopg")


def missing_setting(name: str) -> SettingsError:
    """Return the error for a setting that is required but not set."""
    return SettingsError(f"{name.upper()}: it is not set. {Settings.model_fields[name].description}")


def load() -> Settings:
    """Return the settings in the environment; SettingsError says which are missing or invalid, and how to mend it."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(*map(_describe_error, error.errors())) from None


def _describe_error(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    field = Settings.model_fields[name]
    example = next(iter(field.examples or []), None)
    reasons = {"missing": "it is not set", "string_pattern_mismatch": f"it must look like {example}"}
    reason = reasons.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    return f"{name.upper()}: {reason}. {field.description}"
