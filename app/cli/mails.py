"""flask mails: lists what was mailed and what became of it, and sends again what did not go out."""

from uuid import UUID

import click

from app.cli import tables
from app.cli.database import with_database
from app.database import rows
from app.mail import mailer
from app.models import OUTBOX_OUTCOMES
from app.services.outbox import queue
from app.services.reports import outbox

LIST_COLUMNS = ("id", "created_at", "type", "outcome", "tries", "fault", "bounce", "subscription_id")


@click.group("mails")
def command() -> None:
    """List and retry mails."""


@command.command("list")
@click.option("--outcome", type=click.Choice(OUTBOX_OUTCOMES), help="Only with this outcome.")
@click.option("--subscription", "subscription_id", type=click.UUID, metavar="ID", help="Only of this subscription.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column.")
@with_database
def list_mails(outcome: str | None, subscription_id: UUID | None, limit: int, in_json: bool) -> None:
    """List mails, the newest first; nobody's address is kept with them."""
    found = outbox.mails(limit=limit + 1, outcome=outcome, subscription_id=subscription_id)
    tables.print_rows(found, limit, LIST_COLUMNS, in_json=in_json)


@command.command("retry")
@click.argument("mail_id", metavar="ID")
@with_database
def retry(mail_id: str) -> None:
    """Send a mail again; what it says is looked up anew."""
    spelt = rows.parse_uuid(mail_id)
    found = outbox.find(spelt) if spelt else None
    if spelt is None or found is None or found["lane"] != queue.MAIL_LANE:
        raise click.ClickException(f"No mail has the id {mail_id!r}. Look for it with: flask --app wsgi mails list")
    if not mailer.is_enabled():
        raise click.ClickException("No mail goes out: set MAIL_FROM, as docs/mail.md says.")
    if not outbox.resend(spelt):
        raise click.ClickException(f"{mail_id} waits to be sent already, or nobody needs it any more.")
    click.echo("The mail goes out again. A worker has to run: flask --app wsgi worker")
