"""flask registrations: lists, shows and exports what buyers sent with the sign-up form."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from app.cli import spreadsheets, tables
from app.cli.stored import with_database
from app.services import reports

if TYPE_CHECKING:
    import io

LISTED = (
    "id",
    "created_at",
    "company",
    "full_name",
    "email",
    "product_code",
    "customer_aws_account_id",
    "status",
)


@click.group("registrations")
def command() -> None:
    """List, show and export registrations."""


@command.command("list")
@click.option("--product", metavar="CODE", help="Only of this product code.")
@click.option("--account", metavar="ID", help="Only of this AWS account.")
@click.option("--email", metavar="ADDRESS", help="Only with this e-mail address, in capitals or not.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column.")
@with_database
def newest(product: str | None, account: str | None, email: str | None, limit: int, in_json: bool) -> None:
    """List registrations, the newest first."""
    found = reports.registrations(limit=limit + 1, product_code=product, account_id=account, email=email)
    tables.echo(found, limit, LISTED, in_json=in_json)


@command.command("show")
@click.argument("registration_id", metavar="ID")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON object.")
@with_database
def show(registration_id: str, in_json: bool) -> None:
    """Show a registration and its purchase."""
    spelt = reports.as_id(registration_id)
    found = reports.registration(spelt) if spelt else None
    if found is None:
        raise click.ClickException(
            f"No registration has the id {registration_id!r}. Look for the customer with: "
            "flask --app wsgi registrations list --email ADDRESS, or subscriptions show ACCOUNT"
        )
    click.echo(tables.as_json(found) if in_json else tables.sheet(found))


@command.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--output", metavar="PATH", default="-", show_default=True, help="A file; - is standard output.")
@with_database
def export(form: str, output: str) -> None:
    """Write all registrations with their purchases, the oldest first.

    In CSV, a cell that a spreadsheet might run as a formula has an apostrophe in front; so has a telephone
    number that begins with +. JSON Lines has every value as it was typed.
    """
    with _opened(output) as stream:
        if form == "csv":
            spreadsheets.write(stream, reports.REGISTRATION_COLUMNS, reports.every_registration())
        else:
            stream.writelines(f"{tables.as_json(row, indent=None)}\n" for row in reports.every_registration())


@contextmanager
def _opened(output: str) -> Iterator[TextIO]:
    """Open a file, or standard output, that keeps line endings and UTF-8 as they are written."""
    if output == "-":
        stdout = cast("io.TextIOWrapper", sys.stdout)
        stdout.reconfigure(encoding="utf-8", newline="")
        yield stdout
        return
    try:
        with Path(output).open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}. Choose another --output.") from None
