"""Every setting: its name in the environment, its type, its default, and one sentence on its purpose."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import URL, make_url

from app.config import database_login, environment, fields, setting_checks, setting_kinds
from app.config.fields import FilePath, OneOf, Text, TextList, WholeNumber, YesOrNo, declare

INSTANCE_DIR = Path(__file__).resolve().parents[2] / "instance"

# Threads of each of two processes. A landing waits for AWS on its thread: with 64 landings waiting, threads are left
# for other requests. The pool of connections to AWS has the same size, so that no thread waits for a connection.
THREADS = 64


class SettingsError(SystemExit):
    """A setting is missing or invalid. Uncaught, it ends the process with its text and exit status 1."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n  ".join(["Foyer cannot start:", *problems]))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The seller's settings, read from the environment once, when the process starts."""

    secret_key: str = declare(
        setting_kinds.SECRET_KEY,
        description="Signs the session and the form. At least 16 random characters; "
        'make one with `python -c "import secrets; print(secrets.token_hex())"`.',
        is_secret=True,
    )
    secret_key_fallbacks: tuple[str, ...] = declare(
        TextList(setting_kinds.SECRET_KEY),
        default=(),
        description="Earlier secret keys, separated by commas: sessions that they signed stay valid while you rotate.",
        is_secret=True,
    )
    secret_key_leaked: tuple[str, ...] = declare(
        TextList(setting_kinds.EXACT_TEXT),
        default=(),
        description="Secret keys that somebody else may have, separated by commas. They only decrypt the pending "
        "tokens and drafts that they encrypted: no session, form, link or sign-in token of theirs is accepted.",
        is_secret=True,
    )
    session_cookie_secure: bool = declare(
        YesOrNo(),
        default=True,
        description="Sends the session cookie over HTTPS only. `false` only where there is no TLS, as in `make run`.",
    )
    database_url: str = declare(
        setting_kinds.DATABASE_URL,
        default=f"sqlite:///{INSTANCE_DIR / 'foyer.db'}",
        description="`sqlite:///path` for one machine, `postgresql://user:password@host/name` for more than one.",
        is_secret=True,
    )
    database_password: str | None = declare(
        Text(),
        default=None,
        description="The password for `DATABASE_URL`, where that has none. Nothing in it is encoded.",
        is_secret=True,
    )
    database_iam_auth: bool = declare(
        YesOrNo(),
        default=False,
        description="Logs in to Amazon RDS with this machine's AWS role, and without a password.",
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
        setting_kinds.REGION,
        default="us-east-1",
        description="The Region whose ResolveCustomer endpoint is called.",
    )
    marketplace_role_arn: str | None = declare(
        setting_kinds.ROLE_ARN,
        default=None,
        description="A role in the account that published the product, assumed for every call to AWS.",
    )
    marketplace_role_external_id: str | None = declare(
        setting_kinds.EXTERNAL_ID,
        default=None,
        description="The external id, if the role's trust policy asks for one.",
        is_secret=True,
    )
    events_queue_url: str | None = declare(
        setting_kinds.QUEUE_URL,
        default=None,
        description="The SQS queue into which AWS Marketplace's events come; `foyer worker` reads it. "
        "`deploy/template.yaml` makes it.",
    )
    site_url: str | None = declare(
        setting_kinds.SITE_URL,
        default=None,
        description="Where buyers find this service, such as `https://start.acme.example`. "
        "Hand-offs and mails need it.",
    )
    handoff_secret: str | None = declare(
        Text(),
        default=None,
        description="Signs hand-offs to your product: 24 to 64 bytes in base64, with `whsec_` before them or without. "
        "Several, separated by commas, the newest first, while you rotate.",
        is_secret=True,
    )
    handoff_allow_private: bool = declare(
        YesOrNo(),
        default=False,
        description="Allows hand-offs over plain HTTP and to private addresses, for a product inside your network.",
    )
    mail_from: str | None = declare(
        setting_kinds.SENDER,
        default=None,
        description="The sender of mails: `start@acme.example` or `Acme <start@acme.example>`. Unset: none are sent.",
    )
    smtp_url: str | None = declare(
        setting_kinds.SMTP_URL,
        default=None,
        description="Sends mail by SMTP and not through SES: `smtps://user:password@host`, or `smtp://`, which has to "
        "offer STARTTLS unless it is on this machine.",
        is_secret=True,
    )
    ses_configuration_set: str | None = declare(
        setting_kinds.CONFIGURATION_SET,
        default=None,
        description="The SES configuration set for mails. It reports bounces.",
    )
    trusted_proxies: int = declare(
        WholeNumber(0, 10),
        default=0,
        description="How many proxies stand in front and set `X-Forwarded-*` headers.",
    )
    trusted_hosts: tuple[str, ...] = declare(
        TextList(setting_kinds.HOST_NAME),
        default=(),
        description="The host names that this service answers to, separated by commas. Empty: any.",
    )
    landing_paths: tuple[str, ...] = declare(
        TextList(setting_kinds.PLAIN_PATH),
        default=(),
        description="Paths besides `/` at which buyers may land, separated by commas, such as "
        "`/redirectmarketplacetoken` of AWS's sample.",
    )
    retention_days: int = declare(
        WholeNumber(0, 36500),
        default=0,
        description="How many days a registration is kept after its purchase has ended. 0: until you erase it.",
    )
    ratelimit_storage_uri: str = declare(
        setting_kinds.RATELIMIT_STORAGE_URI,
        default="memory://",
        description="Where rate limits are counted: `memory://`, in each process for itself, "
        "or `redis://host:6379/0`, for all machines together.",
        is_secret=True,
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
        return url.set(drivername="postgresql+psycopg", password=self.database_password or url.password)


SETTINGS = fields.declared(Settings)
SECRETS = [name for name, declaration in SETTINGS.items() if declaration.is_secret]


def missing_setting(name: str) -> SettingsError:
    """Return the error for a setting that is required but not set."""
    return SettingsError(_describe(name, name, "it is not set"))


def load() -> Settings:
    """Return the settings in the environment; SettingsError says which are missing or invalid, and how to mend it."""
    variables = environment.read_variables()
    found = {
        name: (environment.find_secret if name in SECRETS else environment.find)(name, variables) for name in SETTINGS
    }
    values, problems = fields.read(Settings, {name: one.value for name, one in found.items()})
    problems |= setting_checks.find_repeated_keys(values)
    problems |= {name: one.problem for name, one in found.items() if one.problem}
    if "database_url" not in problems:
        problems = database_login.find_contradictions(values) | problems
    sentences = [_describe(name, found[name].variable, problems[name]) for name in SETTINGS if name in problems]
    if sentences := [*sentences, *_refuse_files(variables)]:
        raise SettingsError(*sentences)
    return Settings(**values)


def _refuse_files(variables: Mapping[str, str]) -> list[str]:
    """Return what is wrong with files for settings that are read from none: ignored, they would mislead."""
    found = [environment.find(f"{name}_file", variables) for name in SETTINGS if name not in SECRETS]
    secrets = ", ".join(f"{name.upper()}_FILE" for name in SECRETS)
    return [
        f"{variable}: only secrets are read from files: {secrets}. Set {variable.removesuffix('_FILE')} in its place."
        for variable, value, _ in found
        if value
    ]


def _describe(name: str, variable: str, problem: str) -> str:
    return f"{variable.upper()}: {problem}. {SETTINGS[name].description}"
