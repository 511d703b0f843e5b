"""flask api-tokens: makes, lists and revokes the tokens with which other programs read the API."""

from typing import Any

import click

from app.cli import actor as cli_actor
from app.cli import tables
from app.cli.database import with_database
from app.config import products
from app.database import rows as database_rows
from app.services.api import tokens

LIST_COLUMNS = ("id", "created_at", "name", "products", "revoked_at")
ALL_PRODUCTS = "every product"


@click.group("api-tokens")
def command() -> None:
    """Make, list and revoke the tokens of the read API."""


@command.command("create")
@click.argument("name", metavar="NAME", callback=cli_actor.validate_name)
@click.option(
    "--product", "codes", multiple=True, metavar="CODE", help="Only this product code; give it once for each."
)
@cli_actor.by_option("Who makes it.")
@with_database
def create(name: str, codes: tuple[str, ...], actor: str) -> None:
    """Make a token, and print it this once; NAME says what it is for.

    Without --product it reads every product, those that you will sell later too.
    """
    for code in codes:
        if code not in products.current():
            click.echo(f"No product {code!r} is configured here. Revoke the token if that is a mistake.", err=True)
    made = tokens.create(name, codes or None, actor)
    click.echo(made.token)
    click.echo(f"It is not shown again. To end it: flask --app wsgi api-tokens revoke {made.id}", err=True)


@command.command("list")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array; product_codes null is every product.")
@with_database
def list_tokens(in_json: bool) -> None:
    """List the tokens, the newest first; not what they are, which is not stored."""
    found = tokens.list_all()
    rows = found if in_json else [{**row, "products": _format_products(row)} for row in found]
    tables.print_rows(rows, len(rows), LIST_COLUMNS, in_json=in_json)


@command.command("revoke")
@click.argument("token_id", metavar="ID")
@cli_actor.by_option("Who revokes it.")
@with_database
def revoke(token_id: str, actor: str) -> None:
    """Let a token in no longer, from now on and for good."""
    spelt = database_rows.parse_uuid(token_id)
    revoked = tokens.revoke(spelt, actor) if spelt else None
    if revoked is None:
        raise click.ClickException(f"No token has the id {token_id!r}. See them with: flask --app wsgi api-tokens list")
    click.echo(
        f"Token {revoked['id']} ({revoked['name']}) was revoked at {tables.format_value(revoked['revoked_at'])}."
    )


def _format_products(row: dict[str, Any]) -> str:
    return ALL_PRODUCTS if row["product_codes"] is None else ", ".join(row["product_codes"])
