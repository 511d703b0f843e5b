"""flask db: moves the database from one revision of the tables to the next."""

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_alembic import Alembic
from flask_alembic.cli import cli

from app.models import Base

migrations = Alembic(metadatas=Base.metadata, run_mkdir=False, command_name="")


@click.group("db", commands=cli.commands)
@click.pass_context
@with_appcontext
def command(ctx: click.Context) -> None:
    """Migrate the database."""
    if "alembic" not in current_app.extensions:
        migrations.init_app(current_app._get_current_object())  # type: ignore[attr-defined]
    ctx.obj = migrations
