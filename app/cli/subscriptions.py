"""flask subscriptions: lists and shows purchases, and tells where a customer is."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

from app.cli import events, tables
from app.cli.database import with_database
from app.config import products
from app.database.rows import RowDict
from app.models import SUBSCRIPTION_STATUSES
from app.services.purchases import entitlements, subscriptions
from app.services.purchases.entitlements import StoredEntitlement
from app.services.reports import events as reports_events
from app.services.reports import subscriptions as reports_subscriptions

LIST_COLUMNS = (
    "id",
    "created_at",
    "status",
    "product_code",
    "customer_aws_account_id",
    "agreement_id",
    "company",
    "email",
)
UNREGISTERED_COLUMNS = (
    "id",
    "age",
    "last_seen_at",
    "status",
    "product_code",
    "customer_aws_account_id",
    "agreement_id",
)
NOT_SIGNED_UP = "\nThe buyer has not sent the sign-up form yet: there is no registration."
ERASED = (
    '\nThe registration was erased; the purchase stays. A buyer who presses "Set up your account" again is asked to '
    "sign up again."
)
NEVER_LANDED = (
    '\nThe buyer has subscribed but has never pressed "Set up your account". AWS tells no address: write to whom your '
    "sales team knows at that AWS account, and ask them to press it, on AWS Marketplace under Manage subscriptions."
)
NEVER_LANDED_AND_ENDED = '\nThe buyer never pressed "Set up your account", and the purchase is over: nothing to do.'


@click.group("subscriptions")
def command() -> None:
    """List and show subscriptions."""


@command.command("list")
@click.option("--status", type=click.Choice(SUBSCRIPTION_STATUSES), help="Only in this state.")
@click.option("--product", metavar="CODE", help="Only of this product code.")
@click.option("--account", metavar="ID", help="Only of this AWS account.")
@click.option(
    "--unregistered", is_flag=True, help="Only those that go on and that nobody signed up for, longest paying first."
)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column.")
@with_database
def list_subscriptions(
    status: str | None, product: str | None, account: str | None, unregistered: bool, limit: int, in_json: bool
) -> None:
    """List subscriptions, the newest first."""
    wanted = reports_subscriptions.unregistered if unregistered else reports_subscriptions.newest
    found = wanted(limit=limit + 1, status=status, product_code=product, account_id=account)
    if unregistered:
        now = datetime.now(UTC)
        found = [_unregistered_row(row, now, in_json=in_json) for row in found]
    tables.print_rows(found, limit, UNREGISTERED_COLUMNS if unregistered else LIST_COLUMNS, in_json=in_json)


@command.command("show")
@click.argument("name", metavar="ID")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON object; an array where several match.")
@with_database
def show(name: str, in_json: bool) -> None:
    """Show a subscription, its registration, its entitlements and its events.

    ID is the subscription's id, license ARN or license id, agreement id, AWS account id or customer identifier; of a
    license and an agreement, also one that was renewed since. Where several match, they are listed.
    """
    match reports_subscriptions.find_by_any_id(name):
        case []:
            raise click.ClickException(
                f"No subscription has {name!r} as its id, license ARN, agreement id, AWS account id or customer "
                "identifier. By e-mail address, also of who registered while AWS was down: flask --app wsgi "
                "registrations list --email ADDRESS. If nothing is there either, the buyer may not have pressed "
                '"Set up your account" yet: ask them to, on AWS Marketplace under Manage subscriptions.'
            )
        case [only]:
            _print_subscription(only, in_json=in_json)
        case several:
            tables.print_rows(several, len(several), LIST_COLUMNS, in_json=in_json)


def _unregistered_row(row: RowDict, now: datetime, *, in_json: bool) -> RowDict:
    age = now - row["created_at"]
    if in_json:
        return {**row, "age": int(age.total_seconds())}
    return {**row, "age": _format_age(age), "last_seen_at": row["last_seen_at"] or "never"}


def _format_age(age: timedelta) -> str:
    hours, rest = divmod(age.seconds, 3600)
    if age.days:
        return f"{age.days} d {hours} h"
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min"


def _print_subscription(row: RowDict, *, in_json: bool) -> None:
    now = datetime.now(UTC)
    found = subscriptions.find(row["id"])
    held = entitlements.load_stored(found) if found else []
    told = reports_events.list_by_subscription(row["id"])
    if in_json:
        own = [{**vars(entitlement), "expired": entitlement.expired(now)} for entitlement in held]
        click.echo(tables.to_json({**row, "entitlements": own, "events": told}))
        return
    lines = [[event["happened_at"], events.describe_outcome(event), event["kind"], event["id"]] for event in told]
    click.echo(
        tables.format_record({**row, "entitlements": _entitlement_cells(row, held, now), "events": lines or None})
    )
    if row["registration_id"] is None:
        click.echo(_explain_unregistered(row))


def _entitlement_cells(row: RowDict, held: Sequence[StoredEntitlement], now: datetime) -> list[list[str]] | str:
    if held:
        return [[one.dimension, tables.format_value(one.value), *_format_expiry(one, now)] for one in held]
    product = products.current().get(row["product_code"])
    if product and product.pricing == "subscription":
        return "none: the product is paid by use"
    return "none" if row["entitlements_read_at"] else "not read yet"


def _format_expiry(entitlement: StoredEntitlement, now: datetime) -> tuple[str, str]:
    if entitlement.expires_at is None:
        return "without an end", ""
    return f"until {tables.format_value(entitlement.expires_at)}", "EXPIRED" if entitlement.expired(now) else ""


def _explain_unregistered(row: RowDict) -> str:
    if row["registration_erased_at"]:
        return ERASED
    if row["last_seen_at"]:
        return NOT_SIGNED_UP
    return NEVER_LANDED if row["status"] in reports_subscriptions.STATUS_PRIORITY else NEVER_LANDED_AND_ENDED
