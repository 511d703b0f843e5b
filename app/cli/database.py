"""Checks the database before a command runs, and explains a failure to the operator."""

from typing import Any

import click
from flask.cli import with_appcontext

from app.errors import DatabaseUnavailable
from app.services.operations import readiness


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
        except DatabaseUnavailable:
            raise click.ClickException(
                "The database stopped answering. The output or the change may be incomplete: run the command again."
            ) from None


class DatabaseGroup(click.Group):
    """A group of commands that need the database."""

    command_class = DatabaseCommand
