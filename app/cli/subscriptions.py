"""flask subscriptions: lists and shows purchases, and tells where a customer is."""

import click

from app.cli import tables
from app.cli.stored import with_database
from app.models import STATUSES
from app.services import reports

LISTED = (
    "id",
    "created_at",
    "status",
    "product_code",
    "customer_aws_account_id",
    "agreement_id",
    "company",
    "email",
)
NOT_SIGNED_UP = "\nThe buyer has not sent the sign-up form yet: there is no registration."
ERASED = (
    '\nThe registration was erased; the purchase stays. A buyer who presses "Set up your account" again is asked to '
    "sign up again."
)


@click.group("subscriptions")
def command() -> None:
    """List and show subscriptions."""


@command.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only in this state.")
@click.option("--product", metavar="CODE", help="Only of this product code.")
@click.option("--account", metavar="ID", help="Only of this AWS account.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column.")
@with_database
def newest(status: str | None, product: str | None, account: str | None, limit: int, in_json: bool) -> None:
    """List subscriptions, the newest first."""
    found = reports.subscriptions(limit=limit + 1, status=status, product_code=product, account_id=account)
    tables.echo(found, limit, LISTED, in_json=in_json)


@command.command("show")
@click.argument("name", metavar="ID")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON object; an array where several match.")
@with_database
def show(name: str, in_json: bool) -> None:
    """Show a subscription and its registration.

    ID is the subscription's id, license ARN, agreement id, AWS account id or customer identifier. Where several
    match, they are listed.
    """
    match reports.subscriptions_known_as(name):
        case []:
            raise click.ClickException(
                f"No subscription has {name!r} as its id, license ARN, agreement id, AWS account id or customer "
                'identifier. The buyer may not have pressed "Set up your account" yet: ask them to, on AWS '
                "Marketplace under Manage subscriptions."
            )
        case [only]:
            click.echo(tables.as_json(only) if in_json else tables.sheet(only))
            if only["registration_id"] is None and not in_json:
                click.echo(ERASED if only["registration_erased_at"] else NOT_SIGNED_UP)
        case several:
            tables.echo(several, len(several), LISTED, in_json=in_json)
