"""flask drafts: lists and erases what buyers typed into the form and have not registered, where it is on the server."""

from dataclasses import fields

import click

from app.cli import listing
from app.cli.actor import by_option
from app.cli.database import DatabaseGroup
from app.cli.listing import Resource, Row, Table
from app.services.purchases import drafts
from app.services.signup import erasure
from app.services.signup.registrations import Answers

DRAFT = Resource("draft", "Find it with: flask --app wsgi drafts list")
LIST_COLUMNS = ("id", "stored_at", "expires_at", "company", "full_name", "email")
NO_ANSWERS = dict.fromkeys(answer.name for answer in fields(Answers))

command = DatabaseGroup("drafts", help="List and erase what buyers typed and have not registered yet.")


def _with_answers_as_columns(draft: Row) -> Row:
    return {**draft, **NO_ANSWERS, **draft["answers"]}


listing.add_list_command(
    command,
    "List drafts, newest first: answers that do not fit a cookie. Each expires after a day.\n\n"
    "A draft whose secret key is no longer set has no answers.",
    drafts.newest,
    Table(LIST_COLUMNS, format_row=_with_answers_as_columns),
    click.option("--email", metavar="ADDRESS", help="Only with this e-mail address, in upper or lower case."),
    json_help="Print a JSON array with every answer.",
)


@command.command("erase")
@click.argument("identifier", metavar="ID")
@by_option("Who erases it.")
def erase(identifier: str, actor: str) -> None:
    """Erase a draft. The buyer's form then shows only the answers that fit the cookie."""
    is_erased = erasure.erase_draft(DRAFT.parse_id(identifier), actor)
    DRAFT.require(identifier, is_erased or None)
    click.echo(f"Draft {identifier} was erased by {actor}.")
