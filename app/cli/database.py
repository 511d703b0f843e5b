"""Checks the database before a command runs, and explains a failure to the operator."""

from typing import Any

import click
from flask.cli import with_appcontext

from app.database import faults
from app.errors import DatabaseUnavailable
from app.services.operations import readiness

STOPPED = "The database stopped answering. The output or the change may be incomplete: run the command again."
TOO_SLOW = (
    "The database took too long: it is busy, or its tables are too large to search them all for a part of a text. "
    "An AWS account, an agreement, a license or an id of ours is found at once. With a whole address, less is read: "
    "foyer registrations list --email ADDRESS"
)


class DatabaseCommand(click.Command):
    """A command that runs in the application's context."""

    @with_appcontext
    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raise ClickException unless the database works and is migrated."""
        # Only whether it can be read: a standby, or a full disk, still shows who has registered.
        if problem := readiness.find_schema_problem():
            raise click.ClickException(str(problem))
        try:
            return super().invoke(ctx)
        except DatabaseUnavailable as error:
            raise click.ClickException(TOO_SLOW if error.code.endswith(faults.TIMEOUT_CODES) else STOPPED) from None


class DatabaseGroup(click.Group):
    """A group of commands that need the database."""

    command_class = DatabaseCommand
