"""foyer registrations: lists, shows, exports and erases what buyers sent with the sign-up form."""

import shlex
from itertools import chain
from typing import Any
from uuid import UUID

import click
from flask import current_app

from app.cli import answers, listing, spreadsheets, tables
from app.cli.actor import by_option
from app.cli.database import DatabaseGroup
from app.cli.listing import Resource, Table
from app.config import products
from app.database import clock
from app.database.rows import RowDict
from app.services.billing import purge
from app.services.operations.audit import AuditRecord
from app.services.purchases import drafts, people
from app.services.reports import ids as id_reports
from app.services.reports import registrations
from app.services.reports.registrations import Filters
from app.services.signup import erasure, progress, resume_links
from app.text import mask_email

REGISTRATION = Resource(
    "registration",
    "Look for the customer with: foyer registrations list --email ADDRESS, or subscriptions show ACCOUNT",
    id_reports.REGISTRATIONS,
)
PERSON_COLUMNS = ("id", "created_at", "company", "full_name", "email")
LIST_COLUMNS = (*PERSON_COLUMNS, "product_code", "customer_aws_account_id", "status")
WITHOUT_PURCHASE_COLUMNS = (*PERSON_COLUMNS, "token_died_at", "token_fault", "token_tries")
NARROW_COLUMNS = ("id", "created_at", "company", "email", "status")
NARROW_WITHOUT_PURCHASE_COLUMNS = ("id", "created_at", "company", "email", "token_fault", "token_died_at")
# What the operator sees before an erasure: enough to recognise the purchase.
PURCHASE_IDS = ("customer_aws_account_id", "customer_identifier", "license_arn", "agreement_id")
PREVIEW_COLUMNS = ("id", "company", "email", "product_code", *PURCHASE_IDS, "status", "parked_token_id")

command = DatabaseGroup("registrations", help="List, show, export and erase registrations.")


def _find_newest(*, limit: int, **filters: Any) -> list[RowDict]:
    """Return the registrations; a search for a person also says whether they have drafts."""
    email, text = filters["email"], filters["search"]
    if email is not None and (count := len(drafts.newest(email=email))):
        click.echo(f"Drafts of this address: {count}. See: foyer drafts list --email {email}", err=True)
    if text is not None and (count := len(people.find_drafts(text))):
        shown = shlex.quote(tables.escape_unprintable(text))
        click.echo(f"Drafts with this text: {count}. See: foyer drafts list --search {shown}", err=True)
    return registrations.newest(Filters(**filters), limit=limit)


listing.add_list_command(
    command,
    "List registrations, newest first.",
    _find_newest,
    Table(
        LIST_COLUMNS,
        NARROW_COLUMNS,
        variants={"without_purchase": Table(WITHOUT_PURCHASE_COLUMNS, NARROW_WITHOUT_PURCHASE_COLUMNS)},
    ),
    listing.product_option,
    listing.account_option,
    listing.email_option,
    listing.search_option,
    listing.since_option,
    click.option("--unlinked", "without_purchase", is_flag=True, help="Only those that still wait for their purchase."),
)


@command.command("resume-link")
@click.argument("identifier", metavar="ID")
@click.option("--site", metavar="URL", help="Foyer's address as your buyers see it, with https://; else SITE_URL.")
def resume_link(identifier: str, site: str | None) -> None:
    """Print a link for the buyer of an unlinked registration.

    It is good for 30 days. Mail it to the address in the registration. Opened in any browser, it fills in the form when
    the buyer comes back from AWS Marketplace.
    """
    if not (site := site or current_app.config["SITE_URL"]):
        raise click.UsageError("SITE_URL is not set: say with --site at which address your buyers reach Foyer.")
    if (path := resume_links.path_for(REGISTRATION.parse_id(identifier))) is None:
        raise click.ClickException(
            f"Registration {identifier} does not wait for its purchase, or does not exist. "
            "See those that wait with: foyer registrations list --unlinked"
        )
    click.echo(f"{site.rstrip('/')}{path}")


@command.command("show")
@click.argument("identifier", metavar="ID")
@listing.wide_option
@listing.json_option()
def show(identifier: str, wide: bool, in_json: bool) -> None:
    """Show a registration and its purchase."""
    registration_id = _parse_current_id(identifier)
    registration = registrations.find(registration_id)
    if registration is None and (erased := erasure.find(registration_id)):
        raise click.ClickException(_describe_erasure(erased))
    row = REGISTRATION.require(identifier, registration)
    listing.print_record(row if in_json else answers.as_lines(row), in_json=in_json, wide=wide)


@command.command("export")
@spreadsheets.format_option
@spreadsheets.output_option
def export(file_format: str, output: str) -> None:
    """Write all registrations with their purchases, oldest first.

    Each question that you ask now has a column of its own; the answers to others are whole in other_answers.

    In CSV, a cell that a spreadsheet might run as a formula starts with an apostrophe; that includes a telephone number
    that starts with +. JSON Lines has every value as it was typed.
    """
    ids = answers.column_ids(products.current().values())
    columns = [name for name in registrations.COLUMN_NAMES if name != "answers"] + answers.column_names(ids)
    spreadsheets.export(output, file_format, columns, answers.as_columns(registrations.iterate_all(), ids))


@command.command("erase")
@click.argument("identifier", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@by_option("Who erases it.")
def erase(identifier: str, yes: bool, actor: str) -> None:
    """Erase the person from a registration, for good. The purchase stays."""
    registration_id = _parse_current_id(identifier)
    if registration := registrations.find(registration_id):
        preview = {column: registration[column] for column in PREVIEW_COLUMNS}
        click.echo(tables.format_record(preview | {"email": mask_email(registration["email"])}))
        if not yes:
            click.confirm("\nErase this registration? This cannot be undone.", abort=True)
    erased = REGISTRATION.require(identifier, erasure.erase(registration_id, actor))
    purge.erase_tags()
    click.echo(_describe_erasure(erased))


@command.command("erase-due")
@click.option("--dry-run", is_flag=True, help="Print the ids of those that would be erased, and erase nothing.")
def erase_due(dry_run: bool) -> None:
    """Erase registrations that were kept longer than RETENTION_DAYS."""
    days: int = current_app.config["RETENTION_DAYS"]
    now = clock.now()
    if days == 0:
        click.echo("RETENTION_DAYS is 0: registrations are kept until you erase them.")
    elif dry_run:
        ids = list(chain.from_iterable(erasure.expired_batches(days, now)))
        click.echo("\n".join([*map(str, ids), f"Registrations that would be erased: {len(ids)}"]))
    else:
        count = erasure.erase_expired(days, now)
        purge.erase_tags()
        click.echo(f"Registrations erased: {count}")


def _parse_current_id(identifier: str) -> UUID:
    """Return the id or, where that registration was merged into another, the other's id."""
    registration_id = REGISTRATION.parse_id(identifier)
    if (merged_into := progress.merged_into(registration_id)) is None:
        return registration_id
    click.echo(f"{registration_id} was merged into {merged_into}: both were for the same purchase.", err=True)
    return merged_into


def _describe_erasure(erased: AuditRecord) -> str:
    erased_at = tables.format_value(erased.at)
    sentence = f"Registration {erased.registration_id} was erased at {erased_at} by {erased.actor}."
    if erased.subscription_id is None:
        return sentence
    return f"{sentence} Its purchase stays: foyer subscriptions show {erased.subscription_id}"
