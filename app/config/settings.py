"""Every setting: its name in the environment, its type, its default, and one sentence on its purpose."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from sqlalchemy.engine import URL, make_url

from app.config import secret_key, setting_checks, stray_characters

INSTANCE_DIR = Path(__file__).resolve().parents[2] / "instance"

# Threads of each of two processes. A landing waits for AWS on its thread: with 64 landings waiting, threads are left
# for other requests. The pool of connections to AWS has the same size, so that no thread waits for a connection.
THREADS = 64


class SettingsError(SystemExit):
    """A setting is missing or invalid. Uncaught, it ends the process with its text and exit status 1."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n  ".join(["Foyer cannot start:", *problems]))


# No quotes, no comments, and a domain that DNS allows.
EMAIL_PATTERN = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
HostName = Annotated[str, Field(pattern=r"^\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]+)?$")]
SecretKey = Annotated[str, Field(min_length=secret_key.MIN_LENGTH), AfterValidator(setting_checks.check_secret_key)]
ExactText = Annotated[str, AfterValidator(setting_checks.check_exact)]


class Settings(BaseModel):
    """The seller's settings, read from the environment once, when the process starts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secret_key: SecretKey = Field(
        description="Signs the session and the form. At least 16 random characters; "
        'make one with `python -c "import secrets; print(secrets.token_hex())"`.'
    )
    secret_key_fallbacks: Annotated[tuple[SecretKey, ...], BeforeValidator(setting_checks.split_text)] = Field(
        (),
        description="Earlier secret keys, separated by commas: sessions that they signed stay valid while you rotate.",
    )
    secret_key_leaked: Annotated[tuple[ExactText, ...], BeforeValidator(setting_checks.split_text)] = Field(
        (),
        description="Secret keys that somebody else may have, separated by commas. They only decrypt the pending "
        "tokens and drafts that they encrypted: no session, form, link or sign-in token of theirs is accepted.",
    )
    session_cookie_secure: bool = Field(
        True,
        description="Sends the session cookie over HTTPS only. `false` only where there is no TLS, as in `make run`.",
    )
    database_url: Annotated[str, AfterValidator(setting_checks.check_database_url)] = Field(
        f"sqlite:///{INSTANCE_DIR / 'foyer.db'}",
        description="`sqlite:///path` for one machine, `postgresql://user:password@host/name` for more than one.",
    )
    products_file: Annotated[Path, BeforeValidator(setting_checks.check_exact)] | None = Field(
        None, description="A TOML file with one `[products.CODE]` table for each product you sell."
    )
    product_code: str | None = Field(
        None,
        description="The product code of your listing. Use it in place of `PRODUCTS_FILE` if you sell one product.",
    )
    product_name: str | None = Field(None, description="The product's name on pages and in mails.")
    product_pricing: str = Field(
        "subscription", description="`subscription`, `contract` or `contract-with-consumption`, as on the listing."
    )
    product_sign_in_url: str | None = Field(None, description="Where buyers who already have an account sign in.")
    product_handoff_url: str | None = Field(
        None, description="Where your product receives hand-offs. Unset: none are sent."
    )
    product_notify_email: str | None = Field(
        None, description="Your address for mails about registrations. Unset: `SUPPORT_EMAIL`."
    )
    product_ready_within: str | None = Field(
        None, description="How long buyers wait at most for an account that your product does not make at once."
    )
    support_email: str | None = Field(None, description="Where buyers ask for help. Every page shows it.")
    aws_region: str = Field(
        "us-east-1",
        pattern=r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$",
        examples=["us-east-1"],
        description="The Region whose ResolveCustomer endpoint is called.",
    )
    marketplace_role_arn: str | None = Field(
        None,
        pattern=rf"^arn:aws[a-z-]*:iam::[0-9]{{12}}:role/({setting_checks.ASCII}+/)?[A-Za-z0-9_+=,.@-]+$",
        examples=["arn:aws:iam::123456789012:role/foyer"],
        description="A role in the account that published the product, assumed for every call to AWS.",
    )
    marketplace_role_external_id: str | None = Field(
        # https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
        None,
        pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,1224}$",
        examples=["foyer-4b1d7e"],
        description="The external id, if the role's trust policy asks for one.",
    )
    events_queue_url: str | None = Field(
        None,
        pattern=r"^https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~%-]+)+$",
        examples=["https://sqs.us-east-1.amazonaws.com/123456789012/foyer-events"],
        description="The SQS queue into which AWS Marketplace's events come; `foyer worker` reads it. "
        "`deploy/template.yaml` makes it.",
    )
    site_url: Annotated[str, AfterValidator(setting_checks.check_exact)] | None = Field(
        None,
        pattern=rf"^https?://{setting_checks.URL_HOST}+$",
        examples=["https://start.acme.example"],
        description="Where buyers find this service, such as `https://start.acme.example`. "
        "Hand-offs and mails need it.",
    )
    handoff_secret: str | None = Field(
        None,
        description="Signs hand-offs to your product: `whsec_` and 24 to 64 bytes in base64. Several, separated by "
        "commas, the newest first, while you rotate.",
    )
    handoff_allow_private: bool = Field(
        False,
        description="Allows hand-offs over plain HTTP and to private addresses, for a product inside your network.",
    )
    mail_from: str | None = Field(
        None,
        pattern=rf"^([^<>\p{{Cc}}]*<{EMAIL_PATTERN}>|{EMAIL_PATTERN})$",
        examples=["Acme <start@acme.example>"],
        description="The sender of mails: `start@acme.example` or `Acme <start@acme.example>`. Unset: none are sent.",
    )
    smtp_url: Annotated[str, AfterValidator(setting_checks.check_smtp_url)] | None = Field(
        None,
        description="Sends mail by SMTP and not through SES: `smtps://user:password@host`, or `smtp://`, which has to "
        "offer STARTTLS unless it is on this machine.",
    )
    ses_configuration_set: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        examples=["foyer"],
        description="The SES configuration set for mails. It reports bounces.",
    )
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="How many proxies stand in front and set `X-Forwarded-*` headers."
    )
    trusted_hosts: Annotated[tuple[HostName, ...], BeforeValidator(setting_checks.split_text)] = Field(
        (),
        examples=["start.acme.example"],
        description="The host names that this service answers to, separated by commas. Empty: any.",
    )
    retention_days: int = Field(
        0,
        ge=0,
        le=36500,
        description="How many days a registration is kept after its purchase has ended. 0: until you erase it.",
    )
    ratelimit_storage_uri: Annotated[str, AfterValidator(setting_checks.check_ratelimit_storage_uri)] = Field(
        "memory://",
        description="Where rate limits are counted: `memory://`, in each process for itself, "
        "or `redis://host:6379/0`, for all machines together.",
    )
    log_format: Literal["json", "console"] = Field("json", description="`json` for machines, `console` for people.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`."
    )

    @field_validator("secret_key_fallbacks", "secret_key_leaked")
    @classmethod
    def _check_other_keys(cls, keys: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Refuse a key that another setting has: it cannot be trusted and leaked."""
        setting_checks.check_other_keys(keys, info.data.get("secret_key"), info.data.get("secret_key_fallbacks", ()))
        return keys

    @property
    def sqlalchemy_url(self) -> URL:
        """The database URL, with the driver that this project ships; SQLite's path starts at the root, as it is now."""
        url = make_url(self.database_url)
        if url.get_backend_name() == "sqlite":
            # SQLAlchemy opens this path: without `..`, whose meaning would depend on links.
            return url.set(database=os.path.abspath(str(url.database)))  # noqa: PTH100
        return url.set(drivername="postgresql+psycopg")


def missing_setting(name: str) -> SettingsError:
    """Return the error for a setting that is required but not set."""
    return SettingsError(f"{name.upper()}: it is not set. {Settings.model_fields[name].description}")


def load() -> Settings:
    """Return the settings in the environment; SettingsError says which are missing or invalid, and how to mend it."""
    stray = find_stray_characters(Settings.model_fields)
    problems = {name: f"{fault} {Settings.model_fields[name].description}" for name, fault in stray.items()}
    values = {name: value for name, value in _environment().items() if name in Settings.model_fields}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems = {str(detail["loc"][0]): _describe_error(detail) for detail in error.errors()} | problems
    if problems:
        raise SettingsError(*problems.values())
    return settings


def find_stray_characters(names: Iterable[str]) -> dict[str, str]:
    """Return what is wrong, by name, with values in the environment that have quotes around them or control characters.

    Most other checks would say nothing of them.
    """
    environment = _environment()
    faults = {name: stray_characters.find_in_text(environment.get(name.lower(), "")) for name in names}
    return {name: f"{name.upper()}: it has {fault}." for name, fault in faults.items() if fault}


def _environment() -> dict[str, str]:
    """Return the environment's variables, by their names in lower case, that have a value."""
    return {name.lower(): value for name, value in os.environ.items() if value}


def _describe_error(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    field = Settings.model_fields[name]
    example = next(iter(field.examples or []), None)
    reasons = {"missing": "it is not set", "string_pattern_mismatch": f"it must look like {example}"}
    reason = reasons.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    fault = stray_characters.find_in_code(str(error["input"])) if error["type"] == "string_pattern_mismatch" else None
    return f"{name.upper()}: {reason}. {f'It has {fault}. ' if fault else ''}{field.description}"
