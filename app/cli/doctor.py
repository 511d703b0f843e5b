"""flask doctor: checks that this machine is set up to register customers, and says what to do where it is not."""

from collections.abc import Callable

import click
from flask import current_app
from flask.cli import with_appcontext

from app import database, products
from app.aws import diagnosis
from app.errors import (
    ApiDisabled,
    CredentialsRefused,
    IncompleteAnswer,
    MarketplaceError,
    MarketplaceUnavailable,
    PermissionDenied,
    Throttled,
)
from app.services import readiness

ADVICE: dict[type[MarketplaceError], str] = {
    diagnosis.RoleRefused: "These credentials may not assume the role. Allow them sts:AssumeRole on "
    "MARKETPLACE_ROLE_ARN and name them in its trust policy, with MARKETPLACE_ROLE_EXTERNAL_ID if that asks for one.",
    CredentialsRefused: "The AWS credentials are missing, wrong or expired. Give this machine an IAM role, or renew "
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; check its clock. Where AWS_PROFILE or "
    "AWS_WEB_IDENTITY_TOKEN_FILE is set, check every file that they name, or sign in again with `aws sso login`.",
    PermissionDenied: "These credentials may not resolve registration tokens. Allow the IAM action "
    'aws-marketplace:ResolveCustomer on Resource "*".',
    ApiDisabled: "ResolveCustomer is disabled in this Region. Set AWS_REGION to another one, such as us-east-1.",
    Throttled: "AWS asks for fewer calls. Run the doctor again in a minute.",
    MarketplaceUnavailable: "AWS failed or could not be reached. Check AWS_REGION, every AWS_ENDPOINT_URL that is set, "
    "and this machine's way to the internet.",
    IncompleteAnswer: "What answered resolves a token that does not exist: it is not AWS. Unset AWS_ENDPOINT_URL and "
    "AWS_ENDPOINT_URL_MARKETPLACE_METERING.",
}


@click.command("doctor")
@click.pass_context
@with_appcontext
def command(ctx: click.Context) -> None:
    """Check settings, products, database, AWS credentials and the permission to resolve."""
    passed = [_check(subject, check) for subject, check in CHECKS.items()]
    if not all(passed):
        ctx.exit(1)


def _check(subject: str, check: Callable[[], str]) -> bool:
    try:
        finding, passed = check(), True
    except click.ClickException as error:
        finding, passed = error.message, False
    except MarketplaceError as error:
        finding, passed = f"{ADVICE[type(error)]} ({error.code})", False
    click.echo(f"{'ok' if passed else 'FAIL':<5} {subject:<15}  {finding}")
    return passed


def _settings() -> str:
    if current_app.config["SESSION_COOKIE_SECURE"]:
        return "Loaded."
    return "Loaded. The session cookie is not kept to HTTPS: before going live, unset SESSION_COOKIE_SECURE."


def _products() -> str:
    return ", ".join(f"{product.name} ({product.code})" for product in products.current().values())


def _database() -> str:
    if obstacle := readiness.obstacle():
        raise click.ClickException(obstacle)
    url = database.current().reading.url
    reach = "; SQLite serves one machine" if url.get_backend_name() == "sqlite" else ""
    return f"{url.render_as_string()} is at revision {readiness.newest_revision()}{reach}"


def _credentials() -> str:
    caller = diagnosis.caller()
    return f"Account {caller.account_id}, {caller.arn}"


def _resolve_customer() -> str:
    url = diagnosis.try_resolving()
    return f"Permitted at {url}. Whether this account published the product, only a real token shows."


CHECKS = {
    "settings": _settings,
    "products": _products,
    "database": _database,
    "credentials": _credentials,
    "ResolveCustomer": _resolve_customer,
}
