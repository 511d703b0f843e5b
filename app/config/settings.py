"""Every setting: its name in the environment, its type, its default, and one sentence on its purpose."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import URL, make_url

from app.config import fields, secret_key, setting_checks, stray_characters
from app.config.fields import FilePath, OneOf, Text, TextList, WholeNumber, YesOrNo, declare

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
SECRET_KEY = Text(min_length=secret_key.MIN_LENGTH, check=setting_checks.check_secret_key)
EXACT_TEXT = Text(check=setting_checks.check_exact)
HOST_NAME = Text(pattern=r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]+)?", example="start.acme.example")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The seller's settings, read from the environment once, when the process starts."""

    secret_key: str = declare(
        SECRET_KEY,
        description="Signs the session and the form. At least 16 random characters; "
        'make one with `python -c "import secrets; print(secrets.token_hex())"`.',
    )
    secret_key_fallbacks: tuple[str, ...] = declare(
        TextList(SECRET_KEY),
        default=(),
        description="Earlier secret keys, separated by commas: sessions that they signed stay valid while you rotate.",
    )
    secret_key_leaked: tuple[str, ...] = declare(
        TextList(EXACT_TEXT),
        default=(),
        description="Secret keys that somebody else may have, separated by commas. They only decrypt the pending "
        "tokens and drafts that they encrypted: no session, form, link or sign-in token of theirs is accepted.",
    )
    session_cookie_secure: bool = declare(
        YesOrNo(),
        default=True,
        description="Sends the session cookie over HTTPS only. `false` only where there is no TLS, as in `make run`.",
    )
    database_url: str = declare(
        Text(check=setting_checks.check_database_url),
        default=f"sqlite:///{INSTANCE_DIR / 'foyer.db'}",
        description="`sqlite:///path` for one machine, `postgresql://user:password@host/name` for more than one.",
    )
    products_file: Path | None = declare(
        FilePath(),
        default=None,
        description="A TOML file with one `[products.CODE]` table for each product you sell.",
    )
    product_code: str | None = declare(
        Text(),
        default=None,
        description="The product code of your listing. Use it in place of `PRODUCTS_FILE` if you sell one product.",
    )
    product_name: str | None = declare(Text(), default=None, description="The product's name on pages and in mails.")
    product_pricing: str = declare(
        Text(),
        default="subscription",
        description="`subscription`, `contract` or `contract-with-consumption`, as on the listing.",
    )
    product_sign_in_url: str | None = declare(
        Text(), default=None, description="Where buyers who already have an account sign in."
    )
    product_handoff_url: str | None = declare(
        Text(), default=None, description="Where your product receives hand-offs. Unset: none are sent."
    )
    product_notify_email: str | None = declare(
        Text(), default=None, description="Your address for mails about registrations. Unset: `SUPPORT_EMAIL`."
    )
    product_ready_within: str | None = declare(
        Text(),
        default=None,
        description="How long buyers wait at most for an account that your product does not make at once.",
    )
    support_email: str | None = declare(
        Text(), default=None, description="Where buyers ask for help. Every page shows it."
    )
    aws_region: str = declare(
        Text(pattern=r"[a-z]{2,}(-[a-z]+)+-[0-9]+", example="us-east-1"),
        default="us-east-1",
        description="The Region whose ResolveCustomer endpoint is called.",
    )
    marketplace_role_arn: str | None = declare(
        Text(
            pattern=rf"arn:aws[a-z-]*:iam::[0-9]{{12}}:role/({setting_checks.ASCII}+/)?[A-Za-z0-9_+=,.@-]+",
            example="arn:aws:iam::123456789012:role/foyer",
        ),
        default=None,
        description="A role in the account that published the product, assumed for every call to AWS.",
    )
    marketplace_role_external_id: str | None = declare(
        # https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
        Text(pattern=r"[A-Za-z0-9_+=,.@:/-]{2,1224}", example="foyer-4b1d7e"),
        default=None,
        description="The external id, if the role's trust policy asks for one.",
    )
    events_queue_url: str | None = declare(
        Text(
            pattern=r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~%-]+)+",
            example="https://sqs.us-east-1.amazonaws.com/123456789012/foyer-events",
        ),
        default=None,
        description="The SQS queue into which AWS Marketplace's events come; `foyer worker` reads it. "
        "`deploy/template.yaml` makes it.",
    )
    site_url: str | None = declare(
        Text(
            pattern=rf"https?://{setting_checks.URL_HOST}+",
            example="https://start.acme.example",
            check=setting_checks.check_exact,
        ),
        default=None,
        description="Where buyers find this service, such as `https://start.acme.example`. "
        "Hand-offs and mails need it.",
    )
    handoff_secret: str | None = declare(
        Text(),
        default=None,
        description="Signs hand-offs to your product: `whsec_` and 24 to 64 bytes in base64. Several, separated by "
        "commas, the newest first, while you rotate.",
    )
    handoff_allow_private: bool = declare(
        YesOrNo(),
        default=False,
        description="Allows hand-offs over plain HTTP and to private addresses, for a product inside your network.",
    )
    mail_from: str | None = declare(
        Text(
            pattern=rf"[^<>]*<{EMAIL_PATTERN}>|{EMAIL_PATTERN}",
            example="Acme <start@acme.example>",
            check=setting_checks.check_text,
        ),
        default=None,
        description="The sender of mails: `start@acme.example` or `Acme <start@acme.example>`. Unset: none are sent.",
    )
    smtp_url: str | None = declare(
        Text(check=setting_checks.check_smtp_url),
        default=None,
        description="Sends mail by SMTP and not through SES: `smtps://user:password@host`, or `smtp://`, which has to "
        "offer STARTTLS unless it is on this machine.",
    )
    ses_configuration_set: str | None = declare(
        Text(pattern=r"[A-Za-z0-9_-]{1,64}", example="foyer"),
        default=None,
        description="The SES configuration set for mails. It reports bounces.",
    )
    trusted_proxies: int = declare(
        WholeNumber(0, 10),
        default=0,
        description="How many proxies stand in front and set `X-Forwarded-*` headers.",
    )
    trusted_hosts: tuple[str, ...] = declare(
        TextList(HOST_NAME),
        default=(),
        description="The host names that this service answers to, separated by commas. Empty: any.",
    )
    retention_days: int = declare(
        WholeNumber(0, 36500),
        default=0,
        description="How many days a registration is kept after its purchase has ended. 0: until you erase it.",
    )
    ratelimit_storage_uri: str = declare(
        Text(check=setting_checks.check_ratelimit_storage_uri),
        default="memory://",
        description="Where rate limits are counted: `memory://`, in each process for itself, "
        "or `redis://host:6379/0`, for all machines together.",
    )
    log_format: Literal["json", "console"] = declare(
        OneOf("json", "console"), default="json", description="`json` for machines, `console` for people."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = declare(
        OneOf("DEBUG", "INFO", "WARNING", "ERROR"),
        default="INFO",
        description="`DEBUG`, `INFO`, `WARNING` or `ERROR`.",
    )

    @property
    def sqlalchemy_url(self) -> URL:
        """The database URL, with the driver that this project ships; SQLite's path starts at the root, as it is now."""
        url = make_url(self.database_url)
        if url.get_backend_name() == "sqlite":
            # SQLAlchemy opens this path: without `..`, whose meaning would depend on links.
            return url.set(database=os.path.abspath(str(url.database)))  # noqa: PTH100
        return url.set(drivername="postgresql+psycopg")


SETTINGS = fields.declared(Settings)


def missing_setting(name: str) -> SettingsError:
    """Return the error for a setting that is required but not set."""
    return SettingsError(_describe(name, "it is not set"))


def load() -> Settings:
    """Return the settings in the environment; SettingsError says which are missing or invalid, and how to mend it."""
    environment = _environment()
    values, problems = fields.read(Settings, {name: environment.get(name) for name in SETTINGS})
    problems |= setting_checks.find_repeated_keys(values) | find_stray_characters(SETTINGS)
    if problems:
        raise SettingsError(*(_describe(name, problems[name]) for name in SETTINGS if name in problems))
    return Settings(**values)


def find_stray_characters(names: Iterable[str]) -> dict[str, str]:
    """Return what is wrong, by name, with values in the environment that have quotes around them or control characters.

    Most other checks would say nothing of them.
    """
    environment = _environment()
    faults = {name: stray_characters.find_in_text(environment.get(name.lower(), "")) for name in names}
    return {name: f"it has {fault}" for name, fault in faults.items() if fault}


def _environment() -> dict[str, str]:
    """Return the environment's variables, by their names in lower case, that have a value."""
    return {name.lower(): value for name, value in os.environ.items() if value}


def _describe(name: str, problem: str) -> str:
    return f"{name.upper()}: {problem}. {SETTINGS[name].description}"
