"""foyer usage list: the hours that are sent to AWS, or the items that came late or are held."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from app.cli import listing, parameters
from app.cli.listing import Table
from app.database.rows import RowDict
from app.models.usage import USAGE_STATES
from app.services.usage_reports import hours
from app.services.usage_reports.hours import Filters

HOUR_COLUMNS = (
    "hour",
    "subscription_id",
    "company",
    "product_code",
    "dimension",
    "quantity",
    "items",
    "state",
    "code",
    "metering_record_id",
    "id",
)
NARROW_HOUR_COLUMNS = ("hour_text", "company", "dimension", "quantity", "items", "state", "id")
ITEM_COLUMNS = ("used_at", "received_at", "subscription_id", "company", "dimension", "quantity", "item_id")
NARROW_ITEM_COLUMNS = ("used_at", "company", "dimension", "quantity", "item_id")
LATE_COLUMNS = (*ITEM_COLUMNS, "hour", "state")
NARROW_LATE_COLUMNS = ("used_at", "company", "dimension", "quantity", "item_id", "hour_text")


def format_row(row: listing.Row) -> listing.Row:
    """Return the row with its hour as people say it: an age would not tell two hours of a day apart."""
    return {**row, "hour_text": format_hour(row["hour"])}


def format_hour(hour: datetime | None) -> str:
    """Return the hour's start in UTC, to the minute."""
    return f"{hour:%Y-%m-%d %H:%M}" if hour else ""


def _fetch(*, limit: int, held: bool, late: bool, states: Sequence[str], **filters: Any) -> list[RowDict]:
    if sum((held, late, bool(states))) > 1:
        raise click.UsageError("Give one of --held, --late and --state: the first two list items, not hours.")
    wanted = Filters(states=states, **filters)
    if held:
        return hours.held_items(wanted, limit=limit)
    return hours.late_items(wanted, limit=limit) if late else hours.newest(wanted, limit=limit)


TABLE = Table(
    HOUR_COLUMNS,
    NARROW_HOUR_COLUMNS,
    format_row,
    variants={
        "held": Table(ITEM_COLUMNS, NARROW_ITEM_COLUMNS),
        "late": Table(LATE_COLUMNS, NARROW_LATE_COLUMNS, format_row),
    },
)


def add_to(group: click.Group) -> None:
    """Add the `list` command to the group."""
    listing.add_list_command(
        group,
        "List the hours of usage, newest first.\n\n"
        "Each license and dimension has an hour of its own. With --held or --late, items are listed instead, the "
        "latest received first.",
        _fetch,
        TABLE,
        listing.subscription_option,
        listing.product_option,
        click.option(
            "--state",
            "states",
            type=click.Choice(USAGE_STATES),
            multiple=True,
            help="Only hours in this state; may be given several times.",
        ),
        click.option("--dimension", metavar="NAME", help="Only of this dimension."),
        click.option(
            "--since", type=parameters.Since(), metavar="WHEN", help="Only what was used from then on: 2026-11-01, 7d."
        ),
        click.option("--until", type=parameters.Since(), metavar="WHEN", help="Only what was used before then."),
        click.option("--held", is_flag=True, help="List the items that wait for your decision."),
        click.option("--late", is_flag=True, help="List the items that came when their own hour was frozen."),
        plural="hours of usage",
    )
