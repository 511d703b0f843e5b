"""foyer invitations: lists the colleagues whom purchasers invited to register, and revokes an invitation."""

import click

from app.cli import listing, tables
from app.cli.actor import by_option
from app.cli.database import DatabaseGroup
from app.cli.listing import Resource, Table
from app.services.reports import ids
from app.services.signup import invitations

INVITATION = Resource("invitation", "Find it with: foyer invitations list", ids.INVITATIONS)
LIST_COLUMNS = ("id", "created_at", "state", "email", "expires_at", "subscription_id")

command = DatabaseGroup("invitations", help="List and revoke invitations.")

listing.add_list_command(
    command,
    "List invitations, newest first: open, accepted, revoked or expired.\n\n"
    "The address of an invitation that is no longer open is erased, at the latest within a day.",
    invitations.newest,
    Table(LIST_COLUMNS, LIST_COLUMNS),
    listing.subscription_option,
    listing.since_option,
)


@command.command("revoke")
@click.argument("identifier", metavar="ID")
@by_option("Who revokes it.")
def revoke(identifier: str, actor: str) -> None:
    """Revoke an invitation. Its link stops working, and the session of whoever accepted it ends."""
    invitation_id = INVITATION.parse_id(identifier)
    revoked = invitations.revoke(invitation_id, actor)
    matches = invitations.newest(limit=1, invitation_id=invitation_id)
    invitation = INVITATION.require(identifier, next(iter(matches), None))
    if revoked:
        click.echo(f"Invitation {invitation['id']} was revoked by {actor}.")
        if invitation["accepted_at"]:
            click.echo(
                f"It was accepted at {tables.format_value(invitation['accepted_at'])}. That session ends now; what was "
                f"registered stays: foyer subscriptions show {invitation['subscription_id']}"
            )
    else:
        ended_at = tables.format_value(invitation["revoked_at"] or invitation["expires_at"])
        reason = "had already been revoked" if invitation["state"] == "revoked" else "had already expired"
        click.echo(f"Invitation {invitation['id']} {reason} at {ended_at}. Nothing was changed.")
