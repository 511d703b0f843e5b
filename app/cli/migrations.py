"""flask db: migrates the database with Flask-Alembic."""

from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_alembic import Alembic
from flask_alembic.cli import cli
from sqlalchemy.exc import OperationalError

from app.models import Base
from app.services.operations import readiness

migrations = Alembic(metadatas=Base.metadata, run_mkdir=False, command_name="")


class MigrationGroup(click.Group):
    """Commands that explain an unreachable database; --help works without one."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raise ClickException if the database cannot be reached."""
        try:
            return super().invoke(ctx)
        except OperationalError:
            if readiness.find_problem() == readiness.DATABASE_UNREACHABLE:
                raise click.ClickException(readiness.DATABASE_UNREACHABLE) from None
            raise


@click.group("db", cls=MigrationGroup, commands=cli.commands)
@click.pass_context
@with_appcontext
def command(ctx: click.Context) -> None:
    """Migrate the database."""
    if "alembic" not in current_app.extensions:
        migrations.init_app(current_app._get_current_object())  # type: ignore[attr-defined]
    ctx.obj = migrations
