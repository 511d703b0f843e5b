"""flask mails: lists what was mailed and what became of it, and sends again what did not go out."""

from uuid import UUID

import click

from app import mail
from app.cli import tables
from app.cli.stored import with_database
from app.models import SENT
from app.services import outbox, outbox_reports, reports

LISTED = ("id", "created_at", "type", "outcome", "tries", "fault", "bounce", "subscription_id")


@click.group("mails")
def command() -> None:
    """List and retry mails."""


@command.command("list")
@click.option("--outcome", type=click.Choice(SENT), help="Only with this outcome.")
@click.option("--subscription", "subscription_id", type=click.UUID, metavar="ID", help="Only of this subscription.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column.")
@with_database
def newest(outcome: str | None, subscription_id: UUID | None, limit: int, in_json: bool) -> None:
    """List mails, the newest first; nobody's address is kept with them."""
    found = outbox_reports.mails(limit=limit + 1, outcome=outcome, subscription_id=subscription_id)
    tables.echo(found, limit, LISTED, in_json=in_json)


@command.command("retry")
@click.argument("mail_id", metavar="ID")
@with_database
def retry(mail_id: str) -> None:
    """Send a mail again; what it says is looked up anew."""
    spelt = reports.as_id(mail_id)
    found = outbox_reports.of_id(spelt) if spelt else None
    if spelt is None or found is None or found["lane"] != outbox.MAIL:
        raise click.ClickException(f"No mail has the id {mail_id!r}. Look for it with: flask --app wsgi mails list")
    if not mail.is_on():
        raise click.ClickException("No mail goes out: set MAIL_FROM, as docs/mail.md says.")
    if not outbox_reports.send_again(spelt):
        raise click.ClickException(f"{mail_id} waits to be sent already, or nobody needs it any more.")
    click.echo("The mail goes out again. A worker has to run: flask --app wsgi worker")
