"""foyer usage show: one hour with its items and calls to AWS, or one item."""

from datetime import UTC, datetime

import click

from app.cli import listing, tables
from app.cli.database import DatabaseCommand
from app.cli.listing import Resource
from app.database.rows import RowDict, parse_uuid
from app.services.reports import ids
from app.services.usage_reports import details

USAGE = Resource(
    "hour or item of usage", "Find it with: foyer usage list, or foyer usage list --held", details.HOUR_IDS
)


@click.command("show", cls=DatabaseCommand)
@click.argument("identifier", metavar="ID")
@listing.wide_option
@listing.json_option("Print a JSON object; an array if several items match.")
def command(identifier: str, wide: bool, in_json: bool) -> None:
    """Show an hour or an item of usage, and what is next.

    ID is an hour's id or its beginning, or the id that the product gave an item. Of an hour, its latest items are
    shown, each call to AWS with what was sent, and until when AWS takes it.
    """
    match find(identifier):
        case [row]:
            listing.print_record(row if in_json else _readable(row), in_json=in_json, wide=wide)
        case several:
            if in_json:
                click.echo(tables.to_json(several))
            else:
                click.echo("\n\n".join(tables.format_record(_readable(row)) for row in several))


def find(identifier: str) -> list[RowDict]:
    """Return the hour, or the items with that id of several products; raise ClickException if there is none."""
    text = identifier.strip()
    whole = parse_uuid(text)
    if whole and (hour := details.find_hour(whole)):
        return [hour]
    if items := details.find_items(text):
        return items
    hour_id = None if whole or not ids.is_beginning(text) else USAGE.parse_id(text)
    return [USAGE.require(identifier, details.find_hour(hour_id) if hour_id else None)]


def _readable(row: RowDict) -> RowDict:
    """Return the row with each of its items and calls on a line, and what happens next at its end."""
    parts = {name: value for name, value in row.items() if name not in ("attempts", "latest_items", "next")}
    if "attempts" in row:
        parts["latest_items"] = [
            [item["used_at"], item["quantity"], "late" if item["is_late"] else "", item["item_id"]]
            for item in row["latest_items"]
        ] or None
        parts["calls"] = [_describe_call(attempt) for attempt in row["attempts"]] or None
    return parts | {"next": row["next"]}


def _describe_call(attempt: RowDict) -> list[object]:
    sent = attempt["sent"] or {}
    at = f"{datetime.fromtimestamp(sent['Timestamp'], UTC):%Y-%m-%dT%H:%M:%SZ}" if "Timestamp" in sent else ""
    outcome = attempt["outcome"] or "under way, or not read"
    if attempt["outcome"] and attempt["ended_at"] is None:
        outcome = f"{outcome}: the answer was not read"
    return [attempt["started_at"], f"{sent.get('QuantityAsDecimal', '')} for {at}", outcome]
