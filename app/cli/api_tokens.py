"""flask api-tokens: creates, lists and revokes the tokens with which other programs read the API."""

from collections.abc import Mapping
from typing import Any

import click

from app.cli import listing, tables
from app.cli.actor import by_option, validate_name
from app.cli.database import with_database
from app.cli.listing import Resource
from app.config import products
from app.services.api import tokens

API_TOKEN = Resource("token", "List them with: flask --app wsgi api-tokens list")
LIST_COLUMNS = ("id", "created_at", "name", "products", "revoked_at")
ALL_PRODUCTS = "every product"


@click.group("api-tokens")
def command() -> None:
    """Create, list and revoke the tokens of the read API."""


@command.command("create")
@click.argument("name", metavar="NAME", callback=validate_name)
@click.option("--product", "codes", multiple=True, metavar="CODE", help="Only this product code; may be repeated.")
@by_option("Who creates it.")
@with_database
def create(name: str, codes: tuple[str, ...], actor: str) -> None:
    """Create a token and print it, this once. NAME says what it is for.

    Without --product it reads every product, including those that you add later.
    """
    for code in codes:
        if code not in products.current():
            click.echo(f"No product {code!r} is configured. If that is a mistake, revoke the token.", err=True)
    created = tokens.create(name, codes or None, actor)
    click.echo(created.token)
    click.echo(f"It is not shown again. To revoke it: flask --app wsgi api-tokens revoke {created.id}", err=True)


@command.command("list")
@listing.json_option("Print a JSON array; product_codes null is every product.")
@with_database
def list_tokens(in_json: bool) -> None:
    """List the tokens, newest first. Their secret values are not stored and cannot be shown."""
    rows = tokens.list_all()
    shown = rows if in_json else [{**row, "products": _format_products(row)} for row in rows]
    listing.print_rows(shown, LIST_COLUMNS, in_json=in_json)


@command.command("revoke")
@click.argument("token_id", metavar="ID")
@by_option("Who revokes it.")
@with_database
def revoke(token_id: str, actor: str) -> None:
    """Refuse a token from now on, for good."""
    token = API_TOKEN.require(token_id, tokens.revoke(API_TOKEN.parse_id(token_id), actor))
    click.echo(f"Token {token['id']} ({token['name']}) was revoked at {tables.format_value(token['revoked_at'])}.")


def _format_products(row: Mapping[str, Any]) -> str:
    return ALL_PRODUCTS if row["product_codes"] is None else ", ".join(row["product_codes"])
