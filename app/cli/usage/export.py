"""foyer usage export: a month's usage for bookkeeping."""

from datetime import datetime

import click

from app.cli import listing, parameters, spreadsheets
from app.cli.database import DatabaseCommand
from app.services.metering import clock, hours
from app.services.usage_reports import totals


@click.command("export", cls=DatabaseCommand)
@click.option("--month", type=parameters.Month(), metavar="MONTH", help="Such as 2026-11, in UTC. [default: this one]")
@listing.product_option
@spreadsheets.format_option
@spreadsheets.output_option
def command(month: datetime | None, product_code: str | None, file_format: str, output: str) -> None:
    """Write a month's usage for bookkeeping.

    There is a row for each license and dimension. It has the sum of the items (used), what AWS has billed of it, and
    what it has not, by the state. In CSV, a cell that a spreadsheet might run as a formula starts with an apostrophe.
    """
    rows = totals.of_month(month or hours.month_of(clock.now()), product_code)
    if not rows:
        listing.check_product(product_code)
    spreadsheets.export(output, file_format, totals.COLUMNS, rows)
