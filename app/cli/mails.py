"""foyer mails: lists the mails with their outcomes, and sends them again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from app.cli import listing, parameters
from app.cli.database import DatabaseGroup
from app.cli.listing import Resource, Table
from app.config import products
from app.database.rows import RowDict
from app.models.outbox import OUTBOX_OUTCOMES
from app.services.reports import ids, outbox
from app.services.reports.outbox import MailFilters

MAIL = Resource("mail", "Find it with: foyer mails list", ids.MAILS)
LIST_COLUMNS = ("id", "created_at", "type", "outcome", "tries", "fault", "bounce", "subscription_id")
NARROW_COLUMNS = ("id", "created_at", "type", "outcome", "fault", "bounce")

command = DatabaseGroup("mails", help="List and retry mails.")


def _fetch(*, limit: int, **filters: Any) -> list[RowDict]:
    return outbox.mails(MailFilters(**filters), limit=limit)


listing.add_list_command(
    command,
    "List mails, newest first.\n\n"
    "Addresses are not stored with them: --email goes by the buyer's address as it is registered now, by a "
    "colleague's while the invitation is open, and by yours.",
    _fetch,
    Table(LIST_COLUMNS, NARROW_COLUMNS),
    click.option("--outcome", type=click.Choice(OUTBOX_OUTCOMES), help="Only with this outcome."),
    listing.subscription_option,
    click.option("--email", type=parameters.EmailAddress(), metavar="ADDRESS", help="Only to this whole address."),
    click.option("--bounced", is_flag=True, help="Only those that came back."),
    listing.since_option,
)


@command.command("retry")
@click.argument("mail_id", metavar="ID", required=False)
@click.option(
    "--failed-since",
    type=parameters.Since(),
    metavar="WHEN",
    help="All that were given up since then, instead of one: 2026-11-01, 7d or 24h.",
)
def retry(mail_id: str | None, failed_since: datetime | None) -> None:
    """Send a mail again, or all that were given up lately. Their contents are read anew from the database."""
    if mail_id is not None and failed_since is None:
        mail_ids: Sequence[UUID] = [_find(mail_id)]
    elif failed_since is not None and mail_id is None:
        mail_ids = outbox.failed_mail_ids(failed_since)
    else:
        raise click.UsageError("Give one ID, or --failed-since WHEN.")
    if not products.current().sends_mail:
        raise click.ClickException("Foyer sends no mail: set MAIL_FROM, as docs/mail.md says.")
    resent = sum(map(outbox.resend, mail_ids))
    if mail_id and not resent:
        raise click.ClickException(
            f"{mail_id} is not sent again: it is waiting to be sent already, or it is no longer needed, as when its "
            "recipient was erased."
        )
    click.echo(f"Mails to be sent again: {resent}. A worker has to be running: foyer worker")


def _find(identifier: str) -> UUID:
    mail_id: UUID = MAIL.require(identifier, outbox.find(MAIL.parse_id(identifier), is_mail=True))["id"]
    return mail_id
