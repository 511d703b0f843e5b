"""flask registrations: lists, shows, exports and erases what buyers sent with the sign-up form."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast
from uuid import UUID

import click
from flask import current_app

from app.cli import actor as cli_actor
from app.cli import spreadsheets, tables
from app.cli.database import with_database
from app.database import rows
from app.services.reports import registrations
from app.services.signup import erasure, progress, resume_links
from app.services.signup.erasure import Erasure

if TYPE_CHECKING:
    import io

LIST_COLUMNS = (
    "id",
    "created_at",
    "company",
    "full_name",
    "email",
    "product_code",
    "customer_aws_account_id",
    "status",
)
WITHOUT_PURCHASE_COLUMNS = (
    "id",
    "created_at",
    "company",
    "full_name",
    "email",
    "token_died_at",
    "token_fault",
    "token_tries",
)
PURCHASE_COLUMNS = (
    "product_code",
    "customer_aws_account_id",
    "customer_identifier",
    "license_arn",
    "agreement_id",
    "status",
    "parked_token_id",
)


@click.group("registrations")
def command() -> None:
    """List, show, export and erase registrations."""


@command.command("list")
@click.option("--product", metavar="CODE", help="Only of this product code.")
@click.option("--account", metavar="ID", help="Only of this AWS account.")
@click.option("--email", metavar="ADDRESS", help="Only with this e-mail address, in capitals or not.")
@click.option("--unlinked", is_flag=True, help="Only those that still wait for their purchase.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column.")
@with_database
def list_registrations(
    product: str | None, account: str | None, email: str | None, unlinked: bool, limit: int, in_json: bool
) -> None:
    """List registrations, the newest first."""
    found = registrations.newest(
        limit=limit + 1, product_code=product, account_id=account, email=email, without_purchase=unlinked
    )
    tables.print_rows(found, limit, WITHOUT_PURCHASE_COLUMNS if unlinked else LIST_COLUMNS, in_json=in_json)


@command.command("resume-link")
@click.argument("registration_id", metavar="ID")
@click.option("--site", metavar="URL", help="Where your buyers find this service, with https://; else SITE_URL.")
@with_database
def resume_link(registration_id: str, site: str | None) -> None:
    """Print a link for the buyer of an unlinked registration, good for 30 days.

    Mail it to the address in the registration. Opened in any browser, it has the form filled in when the buyer comes
    back from AWS Marketplace.
    """
    if not (site := site or current_app.config["SITE_URL"]):
        raise click.UsageError("SITE_URL is not set: say with --site where your buyers find this service.")
    path = resume_links.path_for(_parse_id(registration_id))
    if path is None:
        raise click.ClickException(
            f"Registration {registration_id} does not wait for its purchase, or there is none with that id. "
            "See those that do with: flask --app wsgi registrations list --unlinked"
        )
    click.echo(f"{site.rstrip('/')}{path}")


@command.command("show")
@click.argument("registration_id", metavar="ID")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON object.")
@with_database
def show(registration_id: str, in_json: bool) -> None:
    """Show a registration and its purchase."""
    spelt = _parse_current_id(registration_id)
    found = registrations.find(spelt)
    if found is None:
        erased = erasure.find(spelt)
        raise click.ClickException(_describe_erasure(erased)) if erased else _not_found(registration_id)
    click.echo(tables.to_json(found) if in_json else tables.format_record(found))


@command.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--output", metavar="PATH", default="-", show_default=True, help="A file; - is standard output.")
@with_database
def export(form: str, output: str) -> None:
    """Write all registrations with their purchases, the oldest first.

    In CSV, a cell that a spreadsheet might run as a formula has an apostrophe in front; so has a telephone
    number that begins with +. JSON Lines has every value as it was typed.
    """
    with _open_output(output) as stream:
        if form == "csv":
            spreadsheets.write_csv(stream, registrations.COLUMN_NAMES, registrations.iterate_all())
        else:
            stream.writelines(f"{tables.to_json(row, indent=None)}\n" for row in registrations.iterate_all())


@command.command("erase")
@click.argument("registration_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@cli_actor.by_option("Who erases it.")
@with_database
def erase(registration_id: str, yes: bool, actor: str) -> None:
    """Erase the person from a registration, for good; the purchase stays."""
    spelt = _parse_current_id(registration_id)
    if found := registrations.find(spelt):
        purchase = {column: found[column] for column in PURCHASE_COLUMNS}
        about = {"id": spelt, "company": found["company"], "email": erasure.mask_email(found["email"]), **purchase}
        click.echo(tables.format_record(about))
        if not yes:
            click.confirm("\nErase this registration? It cannot be brought back.", abort=True)
    erased = erasure.erase(spelt, actor)
    if erased is None:
        raise _not_found(registration_id)
    click.echo(_describe_erasure(erased))


@command.command("erase-due")
@click.option("--dry-run", is_flag=True, help="Print the ids of those that would be erased, and erase nothing.")
@with_database
def erase_due(dry_run: bool) -> None:
    """Erase the registrations that have been kept for longer than RETENTION_DAYS."""
    days: int = current_app.config["RETENTION_DAYS"]
    now = datetime.now(UTC)
    if days == 0:
        click.echo("RETENTION_DAYS is 0: registrations are kept until you erase them.")
    elif dry_run:
        ids = list(chain.from_iterable(erasure.expired_batches(days, now)))
        click.echo("\n".join([*map(str, ids), f"Registrations that would be erased: {len(ids)}"]))
    else:
        click.echo(f"Registrations erased: {erasure.erase_expired(days, now)}")


def _parse_id(value: str) -> UUID:
    if (spelt := rows.parse_uuid(value)) is None:
        raise _not_found(value)
    return spelt


def _parse_current_id(value: str) -> UUID:
    """Return the id that is typed or, of a registration that was merged into another, that other's."""
    spelt = _parse_id(value)
    kept = progress.merged_into(spelt)
    if kept:
        click.echo(f"{spelt} has become part of {kept}: their purchases turned out to be one.", err=True)
    return kept or spelt


def _not_found(value: str) -> click.ClickException:
    return click.ClickException(
        f"No registration has the id {value!r}. Look for the customer with: "
        "flask --app wsgi registrations list --email ADDRESS, or subscriptions show ACCOUNT"
    )


def _describe_erasure(erased: Erasure) -> str:
    done = f"was erased at {tables.format_value(erased.erased_at)} by {erased.actor}"
    if erased.subscription_id is None:
        return f"Registration {erased.registration_id} {done}."
    return (
        f"Registration {erased.registration_id} {done}. "
        f"Its purchase stays: flask --app wsgi subscriptions show {erased.subscription_id}"
    )


@contextmanager
def _open_output(output: str) -> Iterator[TextIO]:
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
