"""foyer drafts: lists and erases what buyers typed into the form and have not registered, where it is on the server."""

import click

from app.cli import listing
from app.cli.actor import by_option
from app.cli.database import DatabaseGroup
from app.cli.listing import Resource, Row, Table
from app.database.rows import RowDict
from app.services.purchases import drafts, people
from app.services.reports import ids
from app.services.signup import erasure
from app.services.signup.registrations import TYPED_FIELDS

DRAFT = Resource("draft", "Find it with: foyer drafts list", ids.DRAFTS)
LIST_COLUMNS = ("id", "stored_at", "expires_at", "company", "full_name", "email")
NARROW_COLUMNS = ("id", "stored_at", "expires_at", "company", "email")
NO_ANSWERS = dict.fromkeys(TYPED_FIELDS)

command = DatabaseGroup("drafts", help="List and erase what buyers typed and have not registered yet.")


def _fetch(*, search: str | None, limit: int, email: str | None) -> list[RowDict]:
    if search is None:
        return drafts.newest(limit=limit, email=email)
    with_address = {draft["id"] for draft in drafts.newest(email=email)}
    return [draft for draft in people.find_drafts(search) if draft["id"] in with_address][:limit]


def _with_answers_as_columns(draft: Row) -> Row:
    return {**draft, **NO_ANSWERS, **draft["answers"]}


listing.add_list_command(
    command,
    "List drafts, newest first: answers that do not fit a cookie. Each expires after a day.\n\n"
    "A draft whose secret key is no longer set has no answers.",
    _fetch,
    Table(LIST_COLUMNS, NARROW_COLUMNS, _with_answers_as_columns),
    listing.email_option,
    listing.search_option,
    json_help="Print a JSON array with every answer.",
)


@command.command("erase")
@click.argument("identifier", metavar="ID")
@by_option("Who erases it.")
def erase(identifier: str, actor: str) -> None:
    """Erase a draft. The buyer's form then shows only the answers that fit the cookie."""
    draft_id = DRAFT.parse_id(identifier)
    DRAFT.require(identifier, erasure.erase_draft(draft_id, actor) or None)
    click.echo(f"Draft {draft_id} was erased by {actor}.")
