"""foyer usage import: accepts the items of a file, all of them or, if a line cannot be read, none."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, BinaryIO

import click
import structlog

from app.cli import listing, parameters, tables
from app.cli.database import DatabaseCommand
from app.services.usage_imports import run as imports
from app.services.usage_imports.file_rows import UnreadableFile
from app.services.usage_imports.run import Batch, Defaults

STANDARD_INPUT = "-"
ARN_PREFIX = "arn:"
# Fewer rows are done before one has looked.
MIN_ROWS_OF_PROGRESS = 5000


@click.command("import", cls=DatabaseCommand)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--subscription",
    metavar="ID|ARN",
    help="Whose usage rows are that do not say it: a subscription, or a license's ARN.",
)
@click.option(
    "--at",
    type=parameters.Moment(),
    metavar="TIME",
    help="When rows were used that do not say it, such as 2026-11-28T14:05Z. [default: the file's modification time]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be accepted, and accept nothing.")
@click.pass_context
def command(ctx: click.Context, file: BinaryIO, subscription: str | None, at: datetime | None, dry_run: bool) -> None:
    """Accept the usage in a file, as the API would.

    FILE, or standard input (-), is JSON Lines or a list of JSON with the API's items, or CSV with the header
    dimension,value and maybe the columns id, subscription, at and tag:KEY. Quantities are text. A file that is imported
    again counts once: an item without an id gets one of the file's content and its row.

    If a line cannot be read, nothing of the file is accepted. Items that are refused are listed with their lines; the
    others count, and the exit status is 1.
    """
    defaults = Defaults(*_find_subscription(subscription), _default_time(file, at))
    try:
        with _seekable(file) as stream:
            checked = imports.check(stream, defaults)
            if checked.uses_default_time and at is None:
                click.echo(f"Rows without a time are of the file's: {defaults.at}", err=True)
            stream.seek(0)
            batches = imports.run(stream, checked, defaults, is_dry_run=dry_run)
            total, refused = _report(batches, checked.rows)
    except UnreadableFile as error:
        raise click.ClickException(f"{error.code} Nothing was accepted.") from None
    except OSError as error:
        raise click.ClickException(f"{file.name} cannot be read, or copied to be: {error.strerror}.") from None
    _print_total(total, refused, dry_run=dry_run)
    if refused:
        ctx.exit(1)


def _find_subscription(name: str | None) -> tuple[str | None, str | None]:
    """Return what the rows get as their subscription, an id in full or an ARN, and the subscription's id."""
    if name is None:
        return None, None
    full = name.strip() if name.strip().startswith(ARN_PREFIX) else str(listing.SUBSCRIPTION.parse_id(name))
    return full, listing.SUBSCRIPTION.require(name, imports.find_subscription_key(full))


def _default_time(file: BinaryIO, at: datetime | None) -> str | None:
    """Return the time of rows that have none: the option's, or of the last change of a file that has one."""
    if at is None and file is not sys.stdin.buffer:
        status = os.fstat(file.fileno())
        at = datetime.fromtimestamp(int(status.st_mtime), UTC) if file.seekable() else None
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else None


@contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """Yield the file or, since it is read twice, a copy of what a pipe has."""
    if file is not sys.stdin.buffer and file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


def _report(batches: Iterator[Batch], rows: int) -> tuple[Batch, int]:
    """Print each refused row as it comes, with progress on a terminal; return the counts."""
    total, refused = Batch(), 0
    hidden = rows < MIN_ROWS_OF_PROGRESS or not sys.stderr.isatty()
    if not hidden:
        # Log lines would break the bar.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    progress: Any = click.progressbar(length=rows, label="Items", file=sys.stderr, hidden=hidden)
    with progress as bar:
        for batch in batches:
            for line, verdict in batch.refused:
                is_own = verdict.id and not verdict.id.startswith(imports.ID_PREFIX)
                name = f" (id {tables.escape_unprintable(verdict.id or '')})" if is_own else ""
                click.echo(f"Line {line}{name}: {tables.escape_unprintable(verdict.detail or '')}")
            refused += len(batch.refused)
            total.add(batch)
            bar.update(batch.rows)
    return total, refused


def _print_total(total: Batch, refused: int, *, dry_run: bool) -> None:
    verb = "would be " if dry_run else ""
    known = f", of which {total.known} were known already" if total.known else ""
    click.echo(f"Items that {verb or 'were '}accepted: {total.accepted}{known}.")
    if late := total.remarks["Late"]:
        click.echo(f"Late, so that a later hour bills them: {late}. See: foyer usage list --late")
    if held := total.remarks["Held"]:
        click.echo(f"Held, for you to decide: {held}. See: foyer usage list --held")
    if refused:
        click.echo(f"Items that {verb or 'were '}refused: {refused}.")
