"""flask mails: lists the mails with their outcomes, and sends one again."""

from uuid import UUID

import click

from app.cli import listing
from app.cli.database import with_database
from app.cli.listing import ListOutput, Resource
from app.mail import mailer
from app.models import OUTBOX_OUTCOMES
from app.services.outbox import queue
from app.services.reports import outbox

MAIL = Resource("mail", "Find it with: flask --app wsgi mails list")
LIST_COLUMNS = ("id", "created_at", "type", "outcome", "tries", "fault", "bounce", "subscription_id")


@click.group("mails")
def command() -> None:
    """List and retry mails."""


@command.command("list")
@click.option("--outcome", type=click.Choice(OUTBOX_OUTCOMES), help="Only with this outcome.")
@listing.subscription_option
@listing.list_options()
@with_database
def list_mails(outcome: str | None, subscription_id: UUID | None, output: ListOutput) -> None:
    """List mails, newest first. Addresses are not stored with them."""
    output.print(outbox.mails(limit=output.fetch_limit, outcome=outcome, subscription_id=subscription_id), LIST_COLUMNS)


@command.command("retry")
@click.argument("mail_id", metavar="ID")
@with_database
def retry(mail_id: str) -> None:
    """Send a mail again, with its contents read anew from the database."""
    message = MAIL.require(mail_id, outbox.find(MAIL.parse_id(mail_id)))
    if message["lane"] != queue.MAIL_LANE:
        raise MAIL.not_found(mail_id)
    if not mailer.is_enabled():
        raise click.ClickException("Foyer sends no mail: set MAIL_FROM, as docs/mail.md says.")
    if not outbox.resend(message["id"]):
        raise click.ClickException(
            f"{mail_id} is not sent again: it is waiting to be sent already, or it is no longer needed, as when its "
            "recipient was erased."
        )
    click.echo("The mail will be sent again. A worker has to be running: flask --app wsgi worker")
