"""foyer usage settle: carries out what an operator decided about usage that is not billed."""

import click

from app.cli import listing
from app.cli.actor import by_option
from app.cli.database import DatabaseCommand
from app.cli.usage import show
from app.database.rows import RowDict
from app.services.usage_reports import settle
from app.services.usage_reports.settle import NotSettled


@click.command("settle", cls=DatabaseCommand)
@click.argument("identifier", metavar="ID")
@click.option("--next-hour", is_flag=True, help="Bill a held item in the hour that runs now.")
@click.option("--write-off", is_flag=True, help="Never bill the held item, or the hour that AWS does not bill.")
@listing.product_option
@by_option("Who decided it.")
def command(identifier: str, next_hour: bool, write_off: bool, product_code: str | None, actor: str) -> None:
    """Bill held usage now, or write usage off.

    ID is the id that the product gave a held item or, with --write-off, the id of an hour that is in conflict, refused
    or expired. To bill the usage of such an hour, send it again as new items, with new ids.
    """
    if next_hour == write_off:
        raise click.UsageError("Give --next-hour or --write-off.")
    try:
        click.echo(_settle(_find(identifier, product_code), actor, write_off=write_off))
    except NotSettled as error:
        raise click.ClickException(error.code) from None


def _find(identifier: str, product_code: str | None) -> RowDict:
    found = show.find(identifier)
    rows = [row for row in found if product_code is None or row["product_code"] == product_code]
    if len(rows) > 1:
        codes = ", ".join(row["product_code"] for row in rows)
        raise click.ClickException(f"Several products have an item with this id. Choose with --product: {codes}")
    return show.USAGE.require(identifier, next(iter(rows), None))


def _settle(row: RowDict, actor: str, *, write_off: bool) -> str:
    if "attempts" in row:
        if not write_off:
            raise NotSettled(
                "An hour can only be written off. To bill its usage, send it again as new items, with new ids."
            )
        settle.write_off_hour(row["id"], actor)
        return f"The hour is written off: {row['quantity']} of {row['dimension']} are not billed."
    if write_off:
        settle.write_off_item(row["id"], actor)
        return f"The item is written off: {row['quantity']} of {row['dimension']} are not billed."
    hour = settle.bill_item_now(row["id"], actor)
    return f"The item is billed in the hour {hour:%Y-%m-%d %H:%M} UTC: {row['quantity']} of {row['dimension']}."
