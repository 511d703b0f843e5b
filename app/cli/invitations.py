"""flask invitations: lists whom purchasers asked to set up their accounts, and takes invitations back."""

from uuid import UUID

import click

from app.cli import actor as cli_actor
from app.cli import tables
from app.cli.database import with_database
from app.database import rows
from app.database.rows import RowDict
from app.services.signup import invitations

LIST_COLUMNS = ("id", "created_at", "state", "email", "expires_at", "subscription_id")


@click.group("invitations")
def command() -> None:
    """List and revoke invitations."""


@command.command("list")
@click.option("--subscription", "subscription_id", type=click.UUID, metavar="ID", help="Only of this subscription.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column.")
@with_database
def list_invitations(subscription_id: UUID | None, limit: int, in_json: bool) -> None:
    """List invitations, the newest first: open, accepted, revoked or expired.

    The address of one that is not open any more is erased within the hour.
    """
    found = invitations.newest(limit=limit + 1, subscription_id=subscription_id)
    tables.print_rows(found, limit, LIST_COLUMNS, in_json=in_json)


@command.command("revoke")
@click.argument("typed", metavar="ID")
@cli_actor.by_option("Who revokes it.")
@with_database
def revoke(typed: str, actor: str) -> None:
    """Take an invitation back: its link no longer works."""
    invitation_id = rows.parse_uuid(typed)
    revoked = invitation_id is not None and invitations.revoke(invitation_id, actor)
    found = next(iter(invitations.newest(limit=1, invitation_id=invitation_id)), None) if invitation_id else None
    if found is None:
        raise click.ClickException(
            f"No invitation has the id {typed!r}. Look for it with: flask --app wsgi invitations list"
        )
    click.echo(f"Invitation {found['id']} was revoked by {actor}." if revoked else _explain_not_revoked(found))


def _explain_not_revoked(invitation: RowDict) -> str:
    """Return why there was nothing to revoke; refuse where somebody has come in with it."""
    if invitation["state"] == "accepted":
        raise click.ClickException(
            f"Invitation {invitation['id']} was accepted at {tables.format_value(invitation['accepted_at'])}: "
            "that cannot be taken back. See what was registered since, with: "
            f"flask --app wsgi subscriptions show {invitation['subscription_id']}"
        )
    moment = invitation["revoked_at"] or invitation["expires_at"]
    ended = f"had {_end_reason(invitation)} at {tables.format_value(moment)}"
    return f"Invitation {invitation['id']} {ended}: nothing was left to do."


def _end_reason(invitation: RowDict) -> str:
    return "been revoked" if invitation["state"] == "revoked" else "expired"
