"""flask mails: lists the mails with their outcomes, and sends one again."""

import click

from app.cli import listing
from app.cli.database import DatabaseGroup
from app.cli.listing import Resource, Table
from app.config import products
from app.models.outbox import OUTBOX_OUTCOMES
from app.services.reports import outbox

MAIL = Resource("mail", "Find it with: flask --app wsgi mails list")
LIST_COLUMNS = ("id", "created_at", "type", "outcome", "tries", "fault", "bounce", "subscription_id")

command = DatabaseGroup("mails", help="List and retry mails.")

listing.add_list_command(
    command,
    "List mails, newest first. Addresses are not stored with them.",
    outbox.mails,
    Table(LIST_COLUMNS),
    click.option("--outcome", type=click.Choice(OUTBOX_OUTCOMES), help="Only with this outcome."),
    listing.subscription_option,
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
