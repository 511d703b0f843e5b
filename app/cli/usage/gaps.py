"""foyer usage gaps: what an operator has to look at, and hours for which no usage came."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import click

from app.cli import listing, tables, terminal
from app.cli.customer import format_findings
from app.cli.database import DatabaseCommand
from app.cli.listing import Table
from app.database.rows import RowDict
from app.services.reports.diagnosis import Finding
from app.services.usage_reports import gaps, problems
from app.services.usage_reports.problems import Problem

COLUMNS = ("subscription_id", "company", "product_code", "missing", "without_usage")
NARROW_COLUMNS = ("subscription_id", "company", "missing", "without_usage")
HOUR = timedelta(hours=1)


@click.command("gaps", cls=DatabaseCommand)
@click.option(
    "--hours",
    "count",
    type=click.IntRange(1, 24 * 62),
    default=24,
    show_default=True,
    help="So many past hours have to have usage.",
)
@listing.limit_option
@listing.wide_option
@listing.json_option()
@click.pass_context
def command(ctx: click.Context, count: int, limit: int, wide: bool, in_json: bool) -> None:
    """Find what is wrong with usage, and hours without any.

    Wrong are hours that are not sent in time, that AWS refused, that expired, or that are in conflict, and items that
    are held: then the exit status is 1. Hours without usage may be those of a customer who used nothing, or of a
    product that stopped to report.
    """
    wrong, missing = problems.find(), gaps.find(count)
    if in_json:
        rows = [{**vars(problem), "text": problem.text, "command": problem.command} for problem in wrong]
        click.echo(tables.to_json({"problems": rows, "missing": missing[:limit]}))
    else:
        lines = [
            terminal.heading("What is wrong now"),
            *format_findings(_findings(wrong), terminal.width()),
            "",
            terminal.heading(f"Hours without usage, of the last {count} that are over"),
            *_format_missing(missing[:limit], wide=wide),
        ]
        terminal.print_paged("\n".join(lines))
    if len(missing) > limit:
        click.echo(f"There are more than these {limit} subscriptions: {len(missing)}. Raise --limit.", err=True)
    if wrong:
        ctx.exit(1)


def _findings(wrong: Iterable[Problem]) -> list[Finding]:
    return [Finding("FAIL", problem.text, problem.command) for problem in wrong]


def _format_missing(missing: Sequence[RowDict], *, wide: bool) -> Iterator[str]:
    if not missing:
        yield "  None."
        return
    rows = [{**row, "without_usage": ", ".join(describe_hours(row["hours"]))} for row in missing]
    yield listing.format_rows(rows, Table(COLUMNS, NARROW_COLUMNS), wide=wide)


def describe_hours(hours: Sequence[datetime]) -> Iterator[str]:
    """Yield each row of hours without a break, the oldest first, each day once: 11-28 14:00-17:00 for three hours."""
    day, first, previous = None, hours[0], hours[0]
    for hour in [*hours[1:], None]:
        if hour is None or hour > previous + HOUR:
            end = previous + HOUR
            start_format = "%H:%M" if first.date() == day else "%m-%d %H:%M"
            end_format = "%H:%M" if end.date() == first.date() else "%m-%d %H:%M"
            yield f"{first:{start_format}}-{end:{end_format}}"
            day = end.date()
            first = hour or first
        previous = hour or previous
