"""foyer api-tokens: creates, lists and revokes the tokens with which other programs use the API."""

import click

from app.cli import listing, tables
from app.cli.actor import by_option, validate_name
from app.cli.database import DatabaseGroup
from app.cli.listing import Resource, Row, Table
from app.config import products
from app.services.api import tokens
from app.services.reports import ids

API_TOKEN = Resource("token", "List them with: foyer api-tokens list", ids.API_TOKENS)
LIST_COLUMNS = ("id", "created_at", "name", "scopes", "products", "revoked_at")
NO_TOKENS = "There are no API tokens. Create one with: foyer api-tokens create NAME"

command = DatabaseGroup("api-tokens", help="Create, list and revoke the tokens of the API.")


@command.command("create")
@click.argument("name", metavar="NAME", callback=validate_name)
@click.option("--product", "codes", multiple=True, metavar="CODE", help="Only this product code; may be repeated.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(tokens.SCOPES),
    default=(tokens.READ,),
    show_default=True,
    help="What it may do; may be repeated.",
)
@by_option("Who creates it.")
def create(name: str, codes: tuple[str, ...], scopes: tuple[str, ...], actor: str) -> None:
    """Create a token and print it, this once. NAME says what it is for.

    Without --product it is for every product, including those that you add later. A program that sends usage needs
    --scope usage:write; it reads nothing, unless you add --scope read.
    """
    for code in codes:
        if code not in products.current():
            click.echo(f"No product {code!r} is configured. If that is a mistake, revoke the token.", err=True)
    token_id, token = tokens.create(name, codes or None, actor, scopes)
    click.echo(token)
    click.echo(f"It is not shown again. To revoke it: foyer api-tokens revoke {token_id}", err=True)


def _in_words(row: Row) -> Row:
    products_of_token = ", ".join(row["product_codes"] or ["every product"])
    return {**row, "products": products_of_token, "scopes": ", ".join(row["scopes"])}


@command.command("list")
@listing.wide_option
@listing.json_option("Print a JSON array; product_codes null is every product.")
def list_tokens(wide: bool, in_json: bool) -> None:
    """List the tokens, newest first. Their secret values are not stored and cannot be shown."""
    table = Table(LIST_COLUMNS, LIST_COLUMNS, _in_words)
    listing.print_rows(tokens.list_all(), table, in_json=in_json, wide=wide, nothing=NO_TOKENS)


@command.command("revoke")
@click.argument("token_id", metavar="ID")
@by_option("Who revokes it.")
def revoke(token_id: str, actor: str) -> None:
    """Refuse a token from now on, for good."""
    token = API_TOKEN.require(token_id, tokens.revoke(API_TOKEN.parse_id(token_id), actor))
    click.echo(f"Token {token['id']} ({token['name']}) was revoked at {tables.format_value(token['revoked_at'])}.")
