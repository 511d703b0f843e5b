"""flask mails: lists the mails with their outcomes, and sends one again."""

from typing import Any

import click

from app.cli import listing, parameters
from app.cli.database import DatabaseGroup
from app.cli.listing import Resource, Table
from app.config import products
from app.database.rows import RowDict
from app.models.outbox import OUTBOX_OUTCOMES
from app.services.reports import ids, outbox
from app.services.reports.outbox import MailFilters

MAIL = Resource("mail", "Find it with: flask --app wsgi mails list", ids.MAILS)
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
@click.argument("mail_id", metavar="ID")
def retry(mail_id: str) -> None:
    """Send a mail again, with its contents read anew from the database."""
    mail = MAIL.require(mail_id, outbox.find(MAIL.parse_id(mail_id), is_mail=True))
    if not products.current().sends_mail:
        raise click.ClickException("Foyer sends no mail: set MAIL_FROM, as docs/mail.md says.")
    if not outbox.resend(mail["id"]):
        raise click.ClickException(
            f"{mail_id} is not sent again: it is waiting to be sent already, or it is no longer needed, as when its "
            "recipient was erased."
        )
    click.echo("The mail will be sent again. A worker has to be running: flask --app wsgi worker")
