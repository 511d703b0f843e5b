"""foyer db: migrates the database with Flask-Alembic, one process at a time."""

from collections.abc import Callable
from typing import Any

import click
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from flask import current_app
from flask.cli import with_appcontext
from flask_alembic import Alembic
from flask_alembic.cli import cli
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app import deadline
from app.database import faults, postgresql, sqlite_files, transactions
from app.errors import DatabaseUnavailable
from app.models.partial_indexes import METADATA
from app.services.api import history
from app.services.operations import readiness
from app.services.usage_reports import restored

TRY_AGAIN = (
    "Another program uses the database: a dump, a long query or another migration. No revision was left half done. "
    "Try again when that program has ended."
)
FEED_RESTARTED = "A backup was restored: the programs that read the API are sent every subscription once more."
UNKNOWN_REVISION = "Can't locate revision"
LATER_REVISION = (
    "The database is at revision {}, of a later version of Foyer. This version runs on it: nothing was changed."
)
# The lock is waited for as long as another migration takes, the tables only briefly: buyers queue up behind that wait.
# READ COMMITTED, so that what the other migration has done is seen.
PREPARE_POSTGRESQL = (
    text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"),
    text(
        "SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN"
        " ('lock_timeout', 'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')"
    ),
    text("SELECT pg_advisory_xact_lock(hashtext('foyer migrations'))"),
    text("SELECT set_config('lock_timeout', '4s', true)"),
)


class Migrations(Alembic):
    """Flask-Alembic, with a lock around each migration: two that start at once run one after the other."""

    def run_migrations(self, fn: Callable[..., Any], **kwargs: Any) -> None:
        """Run the migrations that `fn` chooses, in one transaction. SQLite's locks out other writers by itself."""
        connection = self.migration_context.connection
        with deadline.extended():
            if connection is not None and connection.dialect.name == "postgresql":
                _prepare_transaction(connection)
            super().run_migrations(fn, **kwargs)


def _prepare_transaction(connection: Connection) -> None:
    for statement in PREPARE_POSTGRESQL:
        connection.execute(statement)
    for failed in postgresql.set_role_limits(connection):
        click.echo(f"The role may not limit itself. As an administrator of the server, run: {failed};")


migrations = Migrations(metadatas=METADATA, run_mkdir=False, command_name="")


class MigrationCommand(click.Command):
    """A command that runs in the application's context, and explains what went wrong with the database."""

    @with_appcontext
    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raise ClickException if the database or the revision is at fault."""
        if "alembic" not in current_app.extensions:
            migrations.init_app(current_app._get_current_object())  # type: ignore[attr-defined]
        ctx.obj = migrations
        try:
            return super().invoke(ctx)
        except CommandError as error:
            hint = ". Run the command with the version of Foyer that has it." if UNKNOWN_REVISION in str(error) else ""
            raise click.ClickException(f"{error}{hint}") from None
        except DBAPIError as error:
            if not isinstance(faults.translate(error), DatabaseUnavailable):
                raise
            raise click.ClickException(_explain(error)) from None
        except DatabaseUnavailable as error:
            raise click.ClickException(str(readiness.find_schema_problem() or error)) from None


class MigrationGroup(click.Group):
    """The group of these commands."""

    command_class = MigrationCommand


def _explain(error: DBAPIError) -> str:
    if faults.code_of(error).startswith(faults.LOCKED_CODES):
        return TRY_AGAIN
    problem = readiness.find_schema_problem()
    if problem and problem.advice in {readiness.DATABASE_UNREACHABLE, readiness.FILE_MISSING}:
        return str(problem)
    return f"The migration failed. The database says: {faults.words_of(error)}"


# Where the summary of Flask-Alembic's command does not fit a line of 80 columns.
SUMMARIES = {
    "branches": "Show revisions that have more than one next revision.",
    "check": "Compare the tables with what this version needs.",
}


def _adopt(name: str, theirs: click.Command) -> click.Command:
    """Return Flask-Alembic's command as one that needs no settings to show its help."""
    return MigrationCommand(name, callback=theirs.callback, params=theirs.params, help=SUMMARIES.get(name, theirs.help))


command = MigrationGroup(
    "db",
    help="Migrate the database.",
    commands={name: _adopt(name, theirs) for name, theirs in cli.commands.items()},
)


# So that a count such as -1 is read as a revision, and refused as one that does not exist.
COUNTS_ARE_NAMES = {"ignore_unknown_options": True}
NEWEST = ("head", "heads")
yes_option = click.option("--yes", is_flag=True, help="Do not ask first.")


@command.command("upgrade", context_settings=COUNTS_ARE_NAMES)
@click.argument("revision", default="heads")
def upgrade(revision: str) -> None:
    """Migrate up to a revision, by default to the newest."""
    name = _require_name(revision, *NEWEST)
    database = transactions.current_database()
    if database.sqlite_writer:
        sqlite_files.create(str(database.read_engine.url.database))
    try:
        migrations.upgrade(name)
    except CommandError:
        # Where an update is undone, every start of the version before it comes here. Asked only now: the later version
        # may have migrated while this one waited.
        if name not in NEWEST or (later := readiness.later_revision()) is None:
            raise
        click.echo(LATER_REVISION.format(later))
        return
    if not readiness.find_schema_problem() and history.is_of_another_server():
        _follow_restore()


@command.command("downgrade", context_settings=COUNTS_ARE_NAMES)
@click.argument("revision")
@yes_option
def downgrade(revision: str, *, yes: bool) -> None:
    """Migrate down to a revision. What only later revisions can store is deleted."""
    name = _require_name(revision, "base")
    undone = _revisions_after(name)
    if not undone:
        raise click.ClickException(f"The database is not at a revision later than {name}: nothing was changed.")
    for script in undone:
        click.echo(f"{script.revision}  {script.doc}")
    if not yes:
        click.confirm("\nUndo these revisions and delete what only they can store? This cannot be undone.", abort=True)
    migrations.downgrade(name)


@command.command("stamp", context_settings=COUNTS_ARE_NAMES)
@click.argument("revision")
@yes_option
def stamp(revision: str, *, yes: bool) -> None:
    """Record that the database is at a revision. Nothing is migrated."""
    name = _require_name(revision, "base", *NEWEST)
    if not yes:
        click.confirm(f"Record revision {name} without a migration? The tables stay as they are.", abort=True)
    migrations.stamp(name)


@command.command("after-restore")
def after_restore() -> None:
    """Let readers of the API begin again; say what usage needs.

    Run it once after a backup was restored, before you start Foyer: they may have read what the backup does not have,
    and AWS may have billed usage that the backup does not know to be billed.
    """
    _follow_restore()


def _follow_restore() -> None:
    _restart_feed()
    if usage := restored.find():
        for paragraph in usage.describe():
            click.echo(f"\n{paragraph}")


@transactions.transaction
def _restart_feed(connection: Connection) -> None:
    with deadline.extended():
        if connection.dialect.name == "postgresql":
            _prepare_transaction(connection)
        history.restart(connection)
    transactions.after_commit(click.echo, FEED_RESTARTED)


def _revisions_after(name: str) -> list[Script]:
    """Return the revisions after the named one that the database has, the newest first."""
    stored = {script.revision for script in migrations.current()}
    undone: list[Script] = []
    for script in migrations.script_directory.walk_revisions():
        if script.revision == name:
            break
        if undone or script.revision in stored:
            undone.append(script)
    return undone


def _require_name(revision: str, *special_names: str) -> str:
    """Return the revision if there is one of exactly this name: Alembic takes a number for a count of steps."""
    scripts: ScriptDirectory = migrations.script_directory
    names = [script.revision for script in scripts.walk_revisions()]
    accepted = [*special_names, *reversed(names)]
    if revision in accepted:
        return revision
    raise click.ClickException(f"There is no revision {revision}. Name one of: {', '.join(accepted)}.")
