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
@click.option(
    "--send-again", is_flag=True, help="Send an hour that AWS refused once more, now that the cause is mended."
)
@click.option("--write-off", is_flag=True, help="Never bill the held item, or the hour that AWS does not bill.")
@listing.product_option
@by_option("Who decided it.")
def command(
    identifier: str, next_hour: bool, send_again: bool, write_off: bool, product_code: str | None, actor: str
) -> None:
    """Bill held usage now, send a refused hour again, or write usage off.

    ID is the id that the product gave a held item or, with --send-again or --write-off, the id of an hour. AWS has not
    billed an hour that it refused, so that it may be sent again until its time is over: do so unless its usage was sent
    again as new items. Usage of an hour that is in conflict or expired can only be sent as new items, with new ids.
    """
    if sum((next_hour, send_again, write_off)) != 1:
        raise click.UsageError("Give one of --next-hour, --send-again and --write-off.")
    try:
        row = _find(identifier, product_code)
        settle_row = _settle_hour if "attempts" in row else _settle_item
        click.echo(settle_row(row, actor, send_again=send_again, write_off=write_off))
    except NotSettled as error:
        raise click.ClickException(error.code) from None


def _find(identifier: str, product_code: str | None) -> RowDict:
    found = show.find(identifier)
    rows = [row for row in found if product_code is None or row["product_code"] == product_code]
    if len(rows) > 1:
        codes = ", ".join(row["product_code"] for row in rows)
        raise click.ClickException(f"Several products have an item with this id. Choose with --product: {codes}")
    return show.USAGE.require(identifier, next(iter(rows), None))


def _settle_hour(row: RowDict, actor: str, *, send_again: bool, write_off: bool) -> str:
    if write_off:
        settle.write_off_hour(row["id"], actor)
        return f"The hour is written off: {row['quantity']} of {row['dimension']} are not billed."
    if not send_again:
        raise NotSettled(
            "An hour is not billed in another one. Where AWS refused it, send it again with --send-again; otherwise "
            "send its usage again as new items, with new ids."
        )
    deadline = settle.send_again(row["id"], actor)
    return (
        f"The hour is sent again: {row['sent_quantity']} of {row['dimension']}. AWS takes it until "
        f"{deadline:%Y-%m-%d %H:%M} UTC. See what becomes of it: foyer usage show {row['id']}"
    )


def _settle_item(row: RowDict, actor: str, *, send_again: bool, write_off: bool) -> str:
    if send_again:
        raise NotSettled("An item is not sent by itself: give the id of its hour. A held item is in none: --next-hour.")
    if write_off:
        settle.write_off_item(row["id"], actor)
        return f"The item is written off: {row['quantity']} of {row['dimension']} are not billed."
    hour = settle.bill_item_now(row["id"], actor)
    return f"The item is billed in the hour {hour:%Y-%m-%d %H:%M} UTC: {row['quantity']} of {row['dimension']}."
